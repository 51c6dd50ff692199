"""The types of fields that messages are made of: their bounds, and what is refused."""

import re
import unicodedata
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints

from command_service.commands.command import Message
from shared.contracts.money import CURRENCIES

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_EMAIL = re.compile(r"[^@\s]+@[^@\s]+")
MOST_AMOUNT: Final = 10**9


def _no_control_characters(value: object) -> object:
    # Looked at before white space is cut, which would take some of them away unseen.
    if isinstance(value, str) and _CONTROL.search(value):
        raise ValueError("must not hold control characters other than line breaks and tabs")
    return value


def _an_email(value: str) -> str:
    if not _EMAIL.fullmatch(value):
        raise ValueError("must be an email address")
    # The key that finds it must be bounded too: folding makes some letters three.
    if len(unicodedata.normalize("NFC", value).casefold()) > 3 * 254:
        raise ValueError("must be an email address")
    return value


def _a_currency(value: str) -> str:
    if value not in CURRENCIES:
        raise ValueError("must be an ISO 4217 code")
    return value


_Plain = BeforeValidator(_no_control_characters)
Name = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=200), _Plain
]
Email = Annotated[
    str,
    StringConstraints(strip_whitespace=True, min_length=1, max_length=254),
    AfterValidator(_an_email),
    _Plain,
]
Description = Annotated[str, StringConstraints(strip_whitespace=True, max_length=5000), _Plain]
Address = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), _Plain
]
Reason = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=500), _Plain
]
Label = Annotated[
    str, StringConstraints(strip_whitespace=True, min_length=1, max_length=100), _Plain
]
Quantity = Annotated[int, Field(ge=1, le=10_000)]
RestockQuantity = Annotated[int, Field(ge=1, le=10**9)]
Stock = Annotated[int, Field(ge=0, le=10**9)]
Currency = Annotated[
    str,
    AfterValidator(_a_currency),
    Field(json_schema_extra={"pattern": "^[A-Z]{3}$", "description": "An ISO 4217 code."}),
]


class Price(Message):
    """Minor units and an ISO 4217 code."""

    amount: Annotated[int, Field(ge=0, le=MOST_AMOUNT)]
    currency: Currency
