"""An operation: its method and path, the scopes it requires, its handler and its documentation."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.http.messages import AnyResponse, Request

Handler = Callable[[Request], Awaitable[AnyResponse]]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path template, such as POST on `/v1/orders/{id}/ship`.

    `scopes`: any one of them suffices, the narrowest first; without scopes the operation is public
    (a token that is sent must be valid nevertheless). A GET operation handles HEAD too. `handler`
    raises Problem for everything except success.

    `cost` is what a request takes from a rate limit: 1 for a read of one document. `max_body` is in
    bytes.

    An `operational` one (health, metrics, documents) is neither documented nor counted as a request
    in flight.

    The other fields are documentation: `problems` are those of the handler, besides those of the
    dispatcher; `responses` describes other statuses (`{304: "not modified"}`); `parameters` are
    OpenAPI parameter objects (see `parameters.py`) besides those of the path, which are derived;
    `response_headers` are OpenAPI header objects of the success response; the examples are bodies
    of a request and of a response; `openapi` is merged into the operation object last.
    """

    method: str
    path: str
    handler: Handler
    operation_id: str
    summary: str
    scopes: tuple[str, ...] = ()
    request_model: Any = None
    response_model: Any = None
    success_status: int = 200
    media_type: str = "application/json"
    max_body: int = 128 * 1024
    cost: float = 1.0
    operational: bool = False
    tags: tuple[str, ...] = ()
    description: str = ""
    problems: tuple[str, ...] = ()
    responses: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Document, ...] = ()
    response_headers: Mapping[str, Document] = field(default_factory=dict)
    request_example: Any = None
    response_example: Any = None
    openapi: Document = field(default_factory=dict)

    @property
    def reads_body(self) -> bool:
        """The body of every command is read, because an idempotency key covers it."""
        return self.method != "GET"
