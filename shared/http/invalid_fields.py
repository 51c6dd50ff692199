"""Parses a JSON body into a model; errors become a problem that quotes no value."""

import json
import re
from collections.abc import Iterator
from itertools import islice
from math import isinf
from typing import Final, TypeVar, get_args

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from shared.http.problems import FieldError, Problem

Model = TypeVar("Model", bound=BaseModel)

_MAX_ERRORS: Final = 100
_MAX_NAME_LENGTH: Final = 100
_MAX_DIGITS: Final = 300
_OVERSIZED: Final = object()

# These messages of pydantic describe the schema only, never the value.
_SAFE: Final = re.compile(
    r"\w+_type|(string_)?too_(short|long)|(greater|less)_than(_equal)?|string_pattern_mismatch"
    r"|(int|float|bool)_parsing|int_parsing_size|int_from_float|finite_number|literal_error|enum"
)
_PYDANTICS: Final = frozenset(get_args(ErrorType)) - {
    "value_error",
    "assertion_error",
}
_REPHRASED: Final = {
    "missing": "is required",
    "extra_forbidden": "is not known",
    "uuid_parsing": "must be a UUID",
    "uuid_type": "must be a UUID",
    "uuid_version": "must be a UUID of the right version",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
}


def read_json(model: type[Model], body: bytes) -> Model:
    """The body as `model`. Raises 400 if it is not JSON, and 422 for JSON of another shape."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Only on failure, because it costs time: pydantic accepts NaN and Infinity.
        raise problem_of(error) if _is_json(body) else _problem_of_numbers(body) from None


def problem_of(error: ValidationError) -> Problem:
    """The problem that a failed validation represents."""
    details = error.errors(include_url=False)
    if any(detail["type"] == "json_invalid" for detail in details):
        return _not_json()
    errors = [_field_error(detail) for detail in details[:_MAX_ERRORS]]
    return Problem("invalid-field", "the request has invalid fields", errors=errors)


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _problem_of_numbers(body: bytes) -> Problem:
    """JSON has no largest number, but parsers do: 422 for each number that is beyond it."""
    try:
        document = json.loads(
            body.decode(),
            parse_int=lambda text: _OVERSIZED if len(text) > _MAX_DIGITS else 0,
            parse_float=lambda text: _OVERSIZED if isinf(float(text)) else 0,
            parse_constant=_reject_constant,
        )
        pointers = list(islice(_oversized_numbers(document), _MAX_ERRORS))
    except (ValueError, RecursionError):
        return _not_json()
    if not pointers:
        return _not_json()
    errors: list[FieldError] = [{"field": p, "message": "is out of range"} for p in pointers]
    return Problem("invalid-field", "the request has invalid fields", errors=errors)


def _reject_constant(_name: str) -> object:
    raise ValueError("NaN and Infinity are not JSON")


def _oversized_numbers(value: object, *location: str | int) -> Iterator[str]:
    if value is _OVERSIZED:
        yield pointer(*location)
    elif isinstance(value, dict):
        for name, part in value.items():
            # An unknown name is the client's: it is not repeated at length.
            steps = (*location, name) if len(name) <= _MAX_NAME_LENGTH else location
            yield from _oversized_numbers(part, *steps)
    elif isinstance(value, list):
        for index, part in enumerate(value):
            yield from _oversized_numbers(part, *location, index)


def _not_json() -> Problem:
    return Problem("malformed-request", "the body is not JSON")


def pointer(*location: str | int) -> str:
    """The RFC 6901 pointer of a value in a document; that of the document is the empty string."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)


def _field_error(detail: ErrorDetails) -> FieldError:
    location = detail["loc"]
    if location and len(str(location[-1])) > _MAX_NAME_LENGTH:
        location = location[:-1]  # an unknown name is not repeated at length
    return {"field": pointer(*location), "message": _message(detail)}


def _message(detail: ErrorDetails) -> str:
    kind = detail["type"]
    if kind in _REPHRASED:
        return _REPHRASED[kind]
    message = detail["msg"].removeprefix("Value error, ")
    if _SAFE.fullmatch(kind) or (kind not in _PYDANTICS and not _quotes(message, detail["input"])):
        return message
    return "is not valid"


def _quotes(message: str, value: object) -> bool:
    """Whether a message of Tandem's own validators repeats text of the value."""
    return any(text in message for text in _texts(value))


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for part in value.values():
            yield from _texts(part)
    elif isinstance(value, list | tuple):
        for part in value:
            yield from _texts(part)
    elif isinstance(value, str) and value:
        yield value
