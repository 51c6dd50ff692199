"""The OpenAPI parameters and headers that many operations share."""

from collections.abc import Mapping
from typing import Any, Final

Parameter = Mapping[str, Any]


def header(name: str, description: str, **schema: Any) -> Parameter:
    """An optional request header."""
    return _parameter("header", name, description, schema)


def query(name: str, description: str, **schema: Any) -> Parameter:
    """An optional query parameter."""
    return _parameter("query", name, description, schema)


def response_header(description: str, *, required: bool = False, **schema: Any) -> Parameter:
    """A header of an answer; `required`: no answer is without it."""
    found: dict[str, Any] = {"description": description, "schema": {"type": "string", **schema}}
    return {**found, "required": True} if required else found


def _parameter(place: str, name: str, description: str, schema: Mapping[str, Any]) -> Parameter:
    return {
        "name": name,
        "in": place,
        "required": False,
        "description": description,
        "schema": {"type": "string", **schema},
    }


IDEMPOTENCY_KEY: Final = header(
    "Idempotency-Key",
    "The same key, caller and request give the same answer again, for at least 24 hours.",
    pattern="^[\\x20-\\x7e]{1,255}$",
)
IF_MATCH: Final = header(
    "If-Match", 'The version that the aggregate must have, as `"<version>"`; else 412.'
)
IF_NONE_MATCH: Final = header(
    "If-None-Match", "ETags that the client holds; 304 if the document still has one of them."
)
CONSISTENCY_TOKEN: Final = header(
    "Consistency-Token",
    "Tokens of earlier answers, joined by commas: the answer is never from before them.",
)
PREFER: Final = header(
    "Prefer",
    "`wait=<seconds>`: how long to wait for the token's events; 2 unless told, at most 30.",
)
LAST_EVENT_ID: Final = header("Last-Event-ID", "The last event's id, to resume a stream after it.")
LIMIT: Final = query(
    "limit", "Items in a page.", type="integer", minimum=1, maximum=200, default=50
)
CURSOR: Final = query("cursor", "`next` of the page before.")

ETAG_HEADER: Final = response_header(
    'The version, as `"<version>"`.', required=True, examples=['"1"']
)
TOKEN_HEADER: Final = response_header(
    "Stands for what was written or read; send it with reads.",
    required=True,
    examples=["orders.4:17;products.1:9"],
)
LOCATION_HEADER: Final = response_header(
    "Where the query service answers with the new document.", required=True
)
REPLAYED_HEADER: Final = response_header("Where a stored answer is given again.", enum=["true"])
PARKED_HEADER: Final = response_header(
    "How many events behind this answer are parked.", pattern="^[1-9][0-9]*$"
)
CACHE_HEADER: Final = response_header(
    "`private` where a token was needed.", required=True, enum=["no-cache", "private, no-cache"]
)
