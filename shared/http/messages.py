"""A request as its operation sees it, and the response it returns: bytes on both sides."""

from collections.abc import Callable
from typing import Final, Protocol

from shared.http.caller import Caller
from shared.http.headers import Headers
from shared.http.problems import MEDIA_TYPE, Problem

ResponseHeaders = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", b"application/json")
_PROBLEM_JSON: Final = (b"content-type", MEDIA_TYPE.encode())


class Request:
    """One request to one operation; authenticated, its body read and bounded.

    `path` and `path_params` are percent-decoded; `query_string` is raw; `body` is empty for GET.
    `charge` takes a further cost from the rate limit of the request, and raises 429.
    """

    __slots__ = (
        "body",
        "caller",
        "charge",
        "headers",
        "method",
        "path",
        "path_params",
        "query_string",
    )

    def __init__(
        self,
        method: str,
        path: str,
        path_params: dict[str, str] | None = None,
        query_string: bytes = b"",
        headers: Headers | None = None,
        caller: Caller | None = None,
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.path_params = {} if path_params is None else path_params
        self.query_string = query_string
        self.headers = Headers() if headers is None else headers
        self.caller = caller
        self.body = body
        self.charge: Callable[[float], None] = _charge_nothing


def _charge_nothing(_cost: float) -> None:
    """For requests without a rate limit."""


class Response:
    """A complete response. The server adds Content-Length, and drops the body for HEAD."""

    __slots__ = ("body", "headers", "status")

    def __init__(
        self, status: int, body: bytes = b"", headers: ResponseHeaders | None = None
    ) -> None:
        self.status = status
        self.body = body
        self.headers = [] if headers is None else headers


class ClientGone(Exception):
    """The client of a stream left, or was cut off because it does not read."""


class StreamWriter(Protocol):
    """Where a streamed response writes its body."""

    async def write(self, data: bytes) -> None:
        """Sends a part, and waits while the client does not keep up. Raises ClientGone."""


class StreamedResponse(Protocol):
    """A response whose end is not known beforehand, such as server-sent events."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> ResponseHeaders: ...

    async def stream(self, writer: StreamWriter) -> None:
        """Writes the body; the response ends when this returns.

        It is cancelled when the client leaves or the service stops.
        """


AnyResponse = Response | StreamedResponse


def json_response(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Response:
    """A response with a JSON body that is already bytes."""
    return Response(status, body, [JSON, *headers])


def problem_response(problem: Problem) -> Response:
    """The problem as the client sees it."""
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return Response(problem.status, problem.body(), [_PROBLEM_JSON, *headers])
