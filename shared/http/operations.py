"""What an operation is: how it is reached, who may call it, what answers it."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.http.messages import AnyResponse, Request

Handler = Callable[[Request], Awaitable[AnyResponse]]
Document = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """One method on one path template, such as POST on `/v1/orders/{id}/ship`.

    `scopes`: any one of them admits, the narrowest first; none makes the operation public (a token
    that is sent must be valid all the same). A GET operation answers HEAD too. `handler` raises
    Problem for everything that is not success.

    `cost` is what a request takes from a rate limit: 1 for a read of one document. `max_body` is in
    bytes.

    An `operational` one (health, metrics, documents) is neither documented nor counted against
    the bound on requests in flight.

    The rest is documentation: `problems` names what it may answer beyond what the dispatcher
    itself answers; `answers` describes other statuses (`{304: "not modified"}`); `parameters` are
    OpenAPI parameter objects (see `parameters.py`) beyond the path's own, which are derived;
    `response_headers` are OpenAPI header objects of the success answer; the examples are a body
    that may be sent and one that may come back; `openapi` is merged into the operation object last.
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
    answers: Mapping[int, str] = field(default_factory=dict)
    parameters: tuple[Document, ...] = ()
    response_headers: Mapping[str, Document] = field(default_factory=dict)
    request_example: Any = None
    response_example: Any = None
    openapi: Document = field(default_factory=dict)

    @property
    def reads_body(self) -> bool:
        """Every command's body is read, as part of what an idempotency key stands for."""
        return self.method != "GET"
