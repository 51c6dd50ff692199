"""Parses the parameters of queries: ids in the path, and the query string."""

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
MAX_LIMIT: Final = 200
_LIMIT: Final = re.compile(r"[1-9][0-9]{0,2}")
_MAX_PARAMETERS: Final = 100
_VERSION_BYTES: Final = 8

Parameters = Mapping[str, str]


def parse_parameters(request: Request, names: Collection[str]) -> Parameters:
    """The parameters with these names; others are ignored. Raises 422 for a duplicate."""
    if not request.query_string:
        return {}
    parameters: dict[str, str] = {}
    for name, value in _parse_query_string(request.query_string):
        if name in parameters:
            raise invalid_field(f"/{name}", "must be given once")
        if name in names:
            parameters[name] = value
    return parameters


def _parse_query_string(query_string: bytes) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            query_string.decode("latin-1"),
            keep_blank_values=True,
            max_num_fields=_MAX_PARAMETERS,
            errors="replace",
        )
    except ValueError:
        raise Problem("malformed-request", "there are too many query parameters") from None


def parse_limit(parameters: Parameters) -> int:
    """Raises 422."""
    text = parameters.get("limit")
    if text is None:
        return DEFAULT_LIMIT
    if not _LIMIT.fullmatch(text) or int(text) > MAX_LIMIT:
        raise invalid_field("/limit", f"must be an integer from 1 to {MAX_LIMIT}")
    return int(text)


def parse_id_cursor(parameters: Parameters, list_key: str) -> str | None:
    """The last id of the previous page; None for the first page. Raises 422."""
    last = _parse_cursor(parameters, list_key)
    if last is None:
        return None
    if len(last) != 16:
        raise _bad_cursor()
    return str(uuid.UUID(bytes=last))


def id_bytes(id: str) -> bytes:
    """An id for a cursor."""
    return uuid.UUID(id).bytes


def parse_version_cursor(parameters: Parameters, list_key: str) -> int:
    """The last version of the previous page; 0 for the first page. Raises 422."""
    last = _parse_cursor(parameters, list_key)
    if last is None:
        return 0
    if len(last) != _VERSION_BYTES:
        raise _bad_cursor()
    return int.from_bytes(last)


def version_bytes(version: int) -> bytes:
    """A version for a cursor."""
    return version.to_bytes(_VERSION_BYTES)


def parse_path_id(request: Request) -> str | None:
    """The id in the path, in lower case; None if it is not a UUID."""
    return parse_id(request.path_params["id"])


def _parse_cursor(parameters: Parameters, list_key: str) -> bytes | None:
    text = parameters.get("cursor")
    if text is None:
        return None
    try:
        return decode_cursor(list_key, text)
    except BadCursor:
        raise _bad_cursor() from None


def _bad_cursor() -> Problem:
    return invalid_field("/cursor", "must be `next` of a page of the same list")
