"""The field types of messages, with their limits."""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from command_service.commands.command import CommandMessage
from shared.contracts.money import CURRENCIES

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
MAX_AMOUNT: Final = 10**9


def _reject_control_characters(value: object) -> object:
    # Before whitespace is trimmed, because trimming would remove some of them.
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("must not contain control characters other than line breaks and tabs")
    return value


def _check_email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("must be an email address")
    # The key is limited too: case folding can turn one letter into three.
    if len(unicodedata.normalize("NFC", value).casefold()) > 3 * 254:
        raise ValueError("must be an email address")
    return value


def _convert_integer(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _check_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be an ISO 4217 code")
    return value


def _check_visible(value: str) -> str:
    """Letters, digits, punctuation and symbols are visible; formatting characters are not."""
    if value and not any(unicodedata.category(c)[0] in "LNPS" for c in value):
        raise ValueError("must contain a visible character")
    return value


_Printable = BeforeValidator(_reject_control_characters)
_Visible = AfterValidator(_check_visible)


def _text(max_length: int) -> StringConstraints:
    return StringConstraints(strip_whitespace=True, min_length=1, max_length=max_length)


Name = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=200),
    _Visible,
    _Printable,
]
Email = Annotated[
    str,
    _text(254),
    AfterValidator(_check_email),
    _Printable,
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), _Printable]
Address = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    _Visible,
    _Printable,
]
Reason = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=500),
    _Visible,
    _Printable,
]
Label = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=100),
    _Visible,
    _Printable,
]
JsonInteger = BeforeValidator(_convert_integer)
"""For integers in any JSON form of the same value: `2`, `2.0`, `2e0` (JSON Schema, 6.1.1)."""
Quantity = Annotated[int, Field(ge=1, le=10_000), JsonInteger]
RestockQuantity = Annotated[int, Field(ge=1, le=10**9), JsonInteger]
Stock = Annotated[int, Field(ge=0, le=10**9), JsonInteger]
Currency = Annotated[
    str,
    AfterValidator(_check_currency),
    Field(json_schema_extra={"pattern": "^[A-Z]{3}$", "description": "An ISO 4217 code."}),
]


class Price(CommandMessage):
    """Minor units and an ISO 4217 code."""

    amount: Annotated[int, Field(ge=0, le=MAX_AMOUNT), JsonInteger]
    currency: Currency
