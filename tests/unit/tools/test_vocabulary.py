"""Rejected words are found in prose and identifiers, and reported with the term to use."""

import subprocess
from pathlib import Path

import pytest

from tools.source_text import prose, source_files
from tools.vocabulary import RULES, check, find
from tools.word_counts import Measure, count


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("The relay told the shards.", "told"),
        ("def told_shards() -> None: ...", "told"),
        ("class ToldShards: ...", "Told"),
        ("Nobody reads it", "Nobody"),
        ("self._most_per_batch = 64", "_most_per_batch"),
        ("the topic is made again", "made again"),
        ("An answer (DNS has answers too)", "answer"),
    ],
)
def test_a_rejected_word_is_found(line: str, word: str) -> None:
    assert [finding.word for finding in find("a.py", line)] == [word]


@pytest.mark.parametrize(
    "line",
    [
        "pid = os.fork()",
        "except ConnectionRefusedError:",
        "INSERT INTO answers (caller) VALUES ($1)",
        "looks up the host name",
        "at most 10, at least 2",
        "understand the standard",
        "hours",
        "the task masks it",
    ],
)
def test_a_legitimate_use_is_allowed(line: str) -> None:
    assert list(find("a.py", line)) == []


def test_a_finding_states_the_place_and_the_term_to_use() -> None:
    [finding] = find("a.py", "first line\nas meanwhile seen")
    assert str(finding) == "a.py:2: meanwhile -> use in the meantime"


def test_the_changelog_and_the_glossary_may_list_former_names_as_code() -> None:
    assert list(find("CHANGELOG.md", "`most_waiting` is now `max_queue_depth`")) == []
    assert len(list(find("CHANGELOG.md", "whoever reads it"))) == 1


def test_every_rule_states_what_to_use() -> None:
    assert all(rule.use for rule in RULES)


def test_all_files_that_git_tracks_or_would_track_are_checked(tmp_path: Path) -> None:
    subprocess.run(["git", "init", "-q", tmp_path], check=True)
    (tmp_path / "a.py").write_text("# nobody\n")
    (tmp_path / "b.md").write_text("anew\n")
    (tmp_path / "c.txt").write_text("anew\n")
    assert source_files(tmp_path) == ["a.py", "b.md"]
    assert [finding.path for finding in check(tmp_path)] == ["a.py", "b.md"]


def test_prose_is_docstrings_and_comments_alone() -> None:
    text = '"""Module."""\n\nvalue = "string"  # comment\n"""Attribute."""\n'
    assert list(prose("a.py", text)) == ["Module.", "Attribute.", "comment"]


def test_counts_are_per_ten_thousand_words() -> None:
    measure = Measure("again", "again")
    [(_, figure)] = count(["once again and", "again"], [measure])
    assert figure == 5000
