"""What a query is asked for: ids of the path, and parameters of the query string."""

import re
import uuid
from collections.abc import Collection, Mapping
from typing import Final
from urllib.parse import parse_qsl

from query_service.http.cursors import BadCursor, decode_cursor
from shared.contracts.ids import parse_id
from shared.http.messages import Request
from shared.http.problems import Problem, invalid_field

DEFAULT_LIMIT: Final = 50
MOST_IN_PAGE: Final = 200
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
_MOST_PARAMETERS: Final = 100
_MOST_VERSION_BYTES: Final = 8

Parameters = Mapping[str, str]


def read_parameters(request: Request, known: Collection[str]) -> Parameters:
    """The known parameters that were sent; others are ignored. Raises 422 for a repeated one."""
    if not request.query_string:
        return {}
    found: dict[str, str] = {}
    for name, value in _pairs(request.query_string):
        if name in found:
            raise invalid_field(f"/{name}", "must be given once")
        if name in known:
            found[name] = value
    return found


def _pairs(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=_MOST_PARAMETERS,
            errors="replace",
        )
    except ValueError:
        raise Problem("malformed-request", "there are too many query parameters") from None


def limit_of(parameters: Parameters) -> int:
    """Raises 422."""
    text = parameters.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > MOST_IN_PAGE:
        raise invalid_field("/limit", f"must be a whole number from 1 to {MOST_IN_PAGE}")
    return int(text)


def id_cursor(parameters: Parameters, walk: str) -> str | None:
    """The id after which a list goes on. Raises 422."""
    place = _place(parameters, walk)
    if place is None:
        return None
    if len(place) != 16:
        raise _bad_cursor()
    return str(uuid.UUID(bytes=place))


def id_place(id: str) -> bytes:
    """An id as the place of a cursor."""
    return uuid.UUID(id).bytes


def version_cursor(parameters: Parameters, walk: str) -> int:
    """The version after which a history goes on, 0 at its start. Raises 422."""
    place = _place(parameters, walk)
    if place is None:
        return 0
    if len(place) != _MOST_VERSION_BYTES:
        raise _bad_cursor()
    return int.from_bytes(place)


def version_place(version: int) -> bytes:
    """A version as the place of a cursor."""
    return version.to_bytes(_MOST_VERSION_BYTES)


def path_id(request: Request) -> str | None:
    """The id of the path in lower case; None where it is no UUID."""
    return parse_id(request.path_params["id"])


def _place(parameters: Parameters, walk: str) -> bytes | None:
    text = parameters.get("cursor")
    if text is None:
        return None
    try:
        return decode_cursor(walk, text)
    except BadCursor:
        raise _bad_cursor() from None


def _bad_cursor() -> Problem:
    return invalid_field("/cursor", "must be the `next` of a page of the same list")
