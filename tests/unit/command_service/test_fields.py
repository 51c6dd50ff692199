"""The values that fields accept: visible text, emails that are the same, limits."""

import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from command_service.commands.fields import Address, Label, Name, Reason
from command_service.domain.users import email_key
from command_service.settings import ServeSettings
from shared.contracts.shards import MAX_PARTITIONS, all_shards
from shared.contracts.tokens import format_token

INVISIBLE = ["\u200b", "\u2060\ufeff", "\u200d\u200d", "\u00ad", "\u202e", "\u0301"]


@pytest.mark.parametrize("text", INVISIBLE)
@pytest.mark.parametrize("field", [Name, Address, Reason, Label])
def test_a_text_without_a_visible_character_is_rejected(field: Any, text: str) -> None:
    with pytest.raises(ValidationError, match="visible"):
        TypeAdapter(field).validate_python(text)
    assert TypeAdapter(field).validate_python(f"a{text}") == f"a{text}"


@pytest.mark.parametrize("text", ["🍵", "…", "$", "١", "Ω", "女", "👩‍💻"])
def test_letters_digits_punctuation_and_symbols_are_visible(text: str) -> None:
    assert TypeAdapter(Name).validate_python(text) == text


def normalized(text: str) -> str:
    return unicodedata.normalize("NFC", text)


@given(st.text(max_size=20))
def test_the_key_of_an_email_is_the_key_of_its_other_spellings(text: str) -> None:
    key = email_key(text)
    for spelling in (normalized(text), text.casefold(), unicodedata.normalize("NFD", text), key):
        assert email_key(normalized(spelling)) == email_key(spelling)
    assert email_key(key) == key or email_key(email_key(key)) == email_key(key)
    assert normalized(key) == key


def test_letters_that_folding_takes_apart_are_composed_again() -> None:
    """Eleven Greek letters: without the second composition, two spellings are two accounts."""
    letters = [chr(n) for n in range(0x10000)]
    apart = [c for c in letters if normalized(normalized(c).casefold()) != normalized(c).casefold()]
    assert len(apart) >= 11
    for letter in apart:
        assert email_key(letter) == email_key(normalized(letter).casefold())


def test_a_token_of_all_shards_fits_a_header() -> None:
    longest = format_token(dict.fromkeys(all_shards(MAX_PARTITIONS), 10**6))
    assert len(longest) <= 8192
    with pytest.raises(ValidationError, match="partitions"):
        ServeSettings(
            database_url="postgresql://x",
            jwks_url="x",
            jwt_issuer="x",
            jwt_audience="x",
            partitions=MAX_PARTITIONS + 1,
        )
