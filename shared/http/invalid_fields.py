"""Reads a JSON body into a model; what does not fit becomes a problem that quotes no value."""

import re
from collections.abc import Iterator
from typing import Final, TypeVar, get_args

import orjson
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from shared.http.problems import FieldError, Problem

Model = TypeVar("Model", bound=BaseModel)

_MOST_ERRORS: Final = 100
_LONGEST_NAME: Final = 100

# These messages of pydantic's speak of the schema alone, never of the value.
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
    """The body as `model`. Raises 400 for what is no JSON, 422 for JSON of another shape."""
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        # Only on failure, as it costs time: pydantic takes NaN and Infinity for JSON.
        raise problem_of(error) if _is_json(body) else _no_json() from None


def problem_of(error: ValidationError) -> Problem:
    """The problem that a failed validation stands for."""
    details = error.errors(include_url=False)
    if any(detail["type"] == "json_invalid" for detail in details):
        return _no_json()
    errors = [_field_error(detail) for detail in details[:_MOST_ERRORS]]
    return Problem("invalid-field", "the request has invalid fields", errors=errors)


def _is_json(body: bytes) -> bool:
    try:
        orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return True


def _no_json() -> Problem:
    return Problem("malformed-request", "the body is not JSON")


def pointer(*location: str | int) -> str:
    """The RFC 6901 pointer of a place in a document; the whole document is the empty string."""
    return "".join("/" + str(step).replace("~", "~0").replace("/", "~1") for step in location)


def _field_error(detail: ErrorDetails) -> FieldError:
    location = detail["loc"]
    if location and len(str(location[-1])) > _LONGEST_NAME:
        location = location[:-1]  # an unknown field's name is the client's: not echoed at length
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
    """Whether a message of our own models' validators repeats some text of the value."""
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
