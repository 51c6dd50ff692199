"""Splitting text into words."""

import pytest

from shared.contracts.words import words_of


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Crème BRÛLÉE-2", ["creme", "brulee", "2"]),
        ("  ", []),
        ("snake_case", ["snake", "case"]),
        ("Straße ﬁn", ["strasse", "fin"]),
        ("İstanbul", ["istanbul"]),
        ("日本 語", ["日本", "語"]),
        ("x²", ["x2"]),
        ("!?…", []),
    ],
)
def test_words_are_runs_of_letters_and_digits_folded(text: str, words: list[str]) -> None:
    assert words_of(text) == words
