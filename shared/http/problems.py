"""Every problem that a response can name, as RFC 9457 `application/problem+json`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypedDict

import orjson

from shared.contracts.names import PROBLEM_BASE

MEDIA_TYPE: Final = "application/problem+json"


@dataclass(frozen=True, slots=True)
class ProblemType:
    """A kind of problem. Its name ends the `type` URI, unless the status alone describes it."""

    name: str
    status: int
    title: str
    default_headers: Mapping[str, str]

    @property
    def uri(self) -> str:
        """What the `type` of its documents is."""
        return "about:blank" if self.name in _GENERIC else PROBLEM_BASE + self.name


class FieldError(TypedDict):
    """One invalid field: a JSON pointer into the request, and why, without the value."""

    field: str
    message: str


_GENERIC: Final = frozenset(["uri-too-long", "header-fields-too-large", "not-implemented"])
_RETRY: Final = {"Retry-After": "1"}


def _table(*rows: tuple[int, str, str, Mapping[str, str]]) -> dict[str, ProblemType]:
    return {
        name: ProblemType(name, status, title, headers) for status, name, title, headers in rows
    }


PROBLEM_TYPES: Final = _table(
    (400, "malformed-request", "The request is malformed", {}),
    (401, "unauthorized", "A valid token is needed", {"WWW-Authenticate": "Bearer"}),
    (
        403,
        "forbidden",
        "The token does not allow this",
        {"WWW-Authenticate": 'Bearer error="insufficient_scope"'},
    ),
    (404, "not-found", "Not found", {}),
    (405, "method-not-allowed", "The resource does not support this method", {}),
    (409, "email-taken", "The email belongs to another user", {}),
    (409, "insufficient-stock", "There is not enough stock", {}),
    (409, "order-state", "The order's state does not allow this", {}),
    (409, "product-retired", "The product is retired", {}),
    (409, "currency-mismatch", "The products have different currencies", {}),
    (409, "stock-limit", "The stock would exceed its limit", {}),
    (409, "idempotency-key-in-use", "The idempotency key is in use right now", _RETRY),
    (412, "version-conflict", "The resource has another version", {}),
    (412, "projection-behind", "The view does not contain the token's events yet", _RETRY),
    (413, "too-large", "The request body is too large", {}),
    (414, "uri-too-long", "URI Too Long", {}),
    (415, "unsupported-media-type", "The request body must be application/json", {}),
    (422, "invalid-field", "A field is not valid", {}),
    (422, "unknown-reference", "The request refers to something that does not exist", {}),
    (422, "idempotency-key-reused", "The idempotency key belongs to another request", {}),
    (429, "too-many-requests", "Too many requests", _RETRY),
    (431, "header-fields-too-large", "Request Header Fields Too Large", {}),
    (500, "internal-error", "Something is broken in the service", {}),
    (501, "not-implemented", "Not Implemented", {}),
    (503, "unavailable", "The service is unavailable at the moment", _RETRY),
)
"""By name. `internal-error` is a defect: no operation promises it."""


class Problem(Exception):
    """Raised anywhere below the dispatcher to respond with a problem.

    `detail` is for the client's developer and quotes no value that could be personal. `headers`
    are added to the type's own, and replace those of the same name. `reason` names the limit that
    was reached, for the metric of rejected requests.
    """

    def __init__(
        self,
        name: str,
        detail: str,
        *,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        reason: str | None = None,
    ) -> None:
        super().__init__(name, detail)
        self.reason = reason
        self.type = PROBLEM_TYPES[name]
        self.detail = detail
        self.errors = errors
        self.headers = {**self.type.default_headers, **(headers or {})}

    @property
    def name(self) -> str:
        return self.type.name

    @property
    def status(self) -> int:
        return self.type.status

    def body(self) -> bytes:
        """The problem as JSON; `errors` is present for invalid fields only."""
        document: dict[str, object] = {
            "type": self.type.uri,
            "title": self.type.title,
            "status": self.type.status,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = list(self.errors)
        return orjson.dumps(document)


def unauthorized(detail: str, *, token_sent: bool) -> Problem:
    """401; RFC 6750 names an error only where a token was sent."""
    challenge = 'Bearer error="invalid_token"' if token_sent else "Bearer"
    return Problem("unauthorized", detail, headers={"WWW-Authenticate": challenge})


def forbidden(scope: str) -> Problem:
    """403 for want of `scope`: the narrowest one that would do."""
    return Problem(
        "forbidden",
        f"this needs the scope {scope}",
        headers={"WWW-Authenticate": f'Bearer error="insufficient_scope", scope="{scope}"'},
    )


def invalid_field(pointer: str, message: str) -> Problem:
    """422 for one field, by its JSON pointer (a query parameter is `/name`)."""
    return Problem(
        "invalid-field",
        "the request has an invalid field",
        errors=[{"field": pointer, "message": message}],
    )


def unavailable(detail: str, *, retry_after: int = 1, reason: str | None = None) -> Problem:
    """503 with Retry-After in seconds."""
    headers = {"Retry-After": str(retry_after)}
    return Problem("unavailable", detail, headers=headers, reason=reason)
