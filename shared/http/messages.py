"""A request as its operation sees it, and the reply it gives back: bytes on both sides."""

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any, Final, Protocol

from shared.http.caller import Caller
from shared.http.problems import MEDIA_TYPE, Problem

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
RawHeaders = list[tuple[bytes, bytes]]

JSON: Final = (b"content-type", b"application/json")
_PROBLEM_JSON: Final = (b"content-type", MEDIA_TYPE.encode())


class Request:
    """One request to one operation; authenticated, its body read and bounded.

    `path` and `path_params` are percent-decoded; `query_string` is raw; `body` is empty for GET.
    """

    __slots__ = ("_headers", "body", "caller", "method", "path", "path_params", "query_string")

    def __init__(
        self,
        method: str,
        path: str,
        path_params: dict[str, str] | None = None,
        query_string: bytes = b"",
        headers: Iterable[tuple[bytes, bytes]] = (),
        caller: Caller | None = None,
        body: bytes = b"",
    ) -> None:
        self.method = method
        self.path = path
        self.path_params = {} if path_params is None else path_params
        self.query_string = query_string
        self._headers = headers
        self.caller = caller
        self.body = body

    def header(self, name: bytes) -> str | None:
        """A single-valued header by its lower-case name. Raises 400 if it was sent twice."""
        return single_header(self._headers, name)

    def headers_all(self, name: bytes) -> str | None:
        """A list-valued header: all its lines, joined by commas."""
        lines = [value.decode("latin-1") for key, value in self._headers if key == name]
        return ", ".join(lines) if lines else None


def single_header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> str | None:
    """The header's value, or None. Raises 400 if there are several."""
    found: bytes | None = None
    for key, value in headers:
        if key == name:
            if found is not None:
                raise Problem("malformed-request", f"{name.decode()} stands there more than once")
            found = value
    return None if found is None else found.decode("latin-1")


class Reply:
    """A whole answer. The dispatcher adds Content-Length, and drops the body for HEAD."""

    __slots__ = ("body", "headers", "status")

    def __init__(self, status: int, body: bytes = b"", headers: RawHeaders | None = None) -> None:
        self.status = status
        self.body = body
        self.headers = [] if headers is None else headers


class StreamedReply(Protocol):
    """An answer whose end is not known beforehand, such as server-sent events."""

    @property
    def status(self) -> int: ...

    @property
    def headers(self) -> RawHeaders: ...

    async def stream(self, receive: Receive, send: Send) -> None:
        """Sends `http.response.body` messages, the last one without `more_body`.

        Returns early when `receive` gives `http.disconnect`. Status and headers are already sent.
        """


def json_reply(status: int, body: bytes, *headers: tuple[bytes, bytes]) -> Reply:
    """A reply with a JSON body that is already bytes."""
    return Reply(status, body, [JSON, *headers])


def problem_reply(problem: Problem) -> Reply:
    """The problem as the client sees it."""
    headers = [(name.lower().encode(), value.encode()) for name, value in problem.headers.items()]
    return Reply(problem.status, problem.body(), [_PROBLEM_JSON, *headers])
