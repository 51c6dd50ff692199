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
    """A response header; `required`: every response has it."""
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
    "The same key, caller and request return the same response, for at least 24 hours.",
    pattern="^[\\x20-\\x7e]{1,255}$",
)
IF_MATCH: Final = header(
    "If-Match", 'The version that the aggregate must have, as `"<version>"`; otherwise 412.'
)
IF_NONE_MATCH: Final = header(
    "If-None-Match", "ETags that the client has stored; 304 if the document still has one of them."
)
CONSISTENCY_TOKEN: Final = header(
    "Consistency-Token",
    "Tokens of earlier responses, separated by commas. The response is never older than they are.",
)
PREFER: Final = header(
    "Prefer",
    "`wait=<seconds>`: the timeout for the events that the token covers; 2 by default, at most 30.",
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
    "Opaque token for everything this response wrote or read. Send it with later reads.",
    required=True,
    examples=["orders.4:17;products.1:9"],
)
LOCATION_HEADER: Final = response_header(
    "The path of the new document at the query service.", required=True
)
REPLAYED_HEADER: Final = response_header("Present if the response is a stored one.", enum=["true"])
PARKED_HEADER: Final = response_header(
    "The number of parked events in the shards that were read.", pattern="^[1-9][0-9]*$"
)
CACHE_HEADER: Final = response_header(
    "`private` if a bearer token was required.",
    required=True,
    enum=["no-cache", "private, no-cache"],
)
