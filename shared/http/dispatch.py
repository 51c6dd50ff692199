"""Answers every operation one way: a thin ASGI layer, a few microseconds above the server's own.

Order of checks: 404 and 405, 401, 403, 429, 413, 415, then the operation's handler.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import structlog
from prometheus_client import CollectorRegistry

from shared.http.authentication import Authenticates
from shared.http.caller import Caller
from shared.http.headers import Headers
from shared.http.messages import (
    ClientGone,
    Receive,
    Request,
    Response,
    ResponseHeaders,
    Send,
    StreamedResponse,
    problem_response,
)
from shared.http.operations import Answer, Operation
from shared.http.problems import Problem, forbidden, unauthorized, unavailable
from shared.http.protocol import write_whole
from shared.http.rate_limit import RateLimit
from shared.http.request_metrics import RequestMetrics, Timings
from shared.http.routing import Routes
from shared.logging_setup import describe_error

log = structlog.stdlib.get_logger(__name__)

Scope = Mapping[str, Any]


class _Target:
    """An operation with what answering it needs, looked up once."""

    __slots__ = ("counts", "handler", "method", "operation", "reads_body", "scopes", "timings")

    def __init__(self, operation: Operation, timings: Timings) -> None:
        self.operation = operation
        self.method = operation.method
        self.counts = not operation.operational
        self.handler = operation.handler
        self.reads_body = operation.reads_body
        self.scopes = frozenset(operation.scopes)
        self.timings = timings


class Dispatcher:
    """The ASGI application.

    Above `max_in_flight` requests at once it answers 503: waiting requests cost memory, and their
    clients have a deadline. Streams count until they begin. A handler is never cancelled because
    its client left, so that what it commits is also remembered.
    """

    def __init__(
        self,
        operations: Iterable[Operation],
        *,
        authenticator: Authenticates | None,
        registry: CollectorRegistry,
        max_in_flight: int = 1024,
        rate_limit: RateLimit | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._metrics = RequestMetrics(registry)
        self._unmatched = self._metrics.of("none")
        self._max_in_flight = max_in_flight
        self._rate_limit = rate_limit
        self._routes = Routes(self._by_path(operations))

    def _by_path(self, operations: Iterable[Operation]) -> Sequence[tuple[str, dict[str, _Target]]]:
        paths: dict[str, dict[str, _Target]] = {}
        for operation in operations:
            target = _Target(operation, self._metrics.of(operation.operation_id))
            methods = paths.setdefault(operation.path, {})
            if methods.setdefault(operation.method, target) is not target:
                raise ValueError(f"{operation.method} {operation.path} is declared twice")
            if operation.method == "GET":
                methods["HEAD"] = target
        return list(paths.items())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        started = time.perf_counter()
        found = self._routes.find(scope["path"])
        target = None if found is None else found[0].get(scope["method"])
        if found is None or target is None:
            timings = self._unmatched
            answer: Answer | None = problem_response(_nowhere(found and found[0]))
        else:
            timings = target.timings
            answer = await self._answer(target, found[1], scope, receive)
        if answer is None:
            return
        timings.observe(answer.status, time.perf_counter() - started)
        head = scope["method"] == "HEAD"
        if isinstance(answer, Response):
            headers, body = _framed(answer, head)
            if not write_whole(send, answer.status, headers, body):
                start = {"type": "http.response.start", "status": answer.status}
                await send({**start, "headers": headers})
                await send({"type": "http.response.body", "body": body})
        else:
            await _stream(answer, head, receive, send)

    async def _answer(
        self, target: _Target, path_params: dict[str, str], scope: Scope, receive: Receive
    ) -> Answer | None:
        """Whatever happens becomes an answer; None when nobody is there to read it."""
        metrics, counts = self._metrics, target.counts
        if counts and metrics.in_flight >= self._max_in_flight:
            return problem_response(unavailable("too many requests are being answered"))
        metrics.in_flight += counts
        try:
            headers = Headers(scope["headers"])
            caller, body = None, b""
            if self._authenticator is not None:
                authorization = _authorization(headers)
                if authorization is not None:
                    caller = self._authenticator.recall(authorization)
                    if caller is None:
                        caller = await self._authenticator.authenticate(authorization)
                self._admit(target, caller)
            if target.reads_body:
                body = await read_body(headers, receive, target.operation.max_body)
                if target.operation.request_model is not None:
                    _require_json(headers)
            request = Request(
                target.method,
                scope["path"],
                path_params,
                scope["query_string"],
                headers,
                caller,
                body,
            )
            return await target.handler(request)
        except Problem as problem:
            return problem_response(problem)
        except ClientGone:
            return None
        except Exception as error:
            operation = target.operation.operation_id
            log.error("a request failed", operation=operation, error=describe_error(error))
            return problem_response(Problem("internal-error", "the service's log says more"))
        finally:
            metrics.in_flight -= counts

    def _admit(self, target: _Target, caller: Caller | None) -> None:
        if caller is None:
            if target.scopes:
                raise unauthorized("this needs a bearer token", token_sent=False)
            return
        if target.scopes and target.scopes.isdisjoint(caller.scopes):
            raise forbidden(target.operation.scopes[0])
        if self._rate_limit is not None:
            self._rate_limit.take(caller.sub)


async def read_body(headers: Headers, receive: Receive, most: int) -> bytes:
    """The whole body. Raises 413 beyond `most` bytes, ClientGone if it ends early.

    How long a client may take for it is bounded by the server (`protocol.py`).
    """
    length = headers.single(b"content-length")
    if length is not None and length.isdecimal() and int(length) > most:
        raise _too_large(most)
    message = await receive()
    body: bytes = message.get("body", b"")
    while message["type"] == "http.request":
        if len(body) > most:
            raise _too_large(most)
        if not message.get("more_body", False):
            return body
        message = await receive()
        body += message.get("body", b"")
    raise ClientGone


def _too_large(most: int) -> Problem:
    return Problem("too-large", f"a body here has at most {most} bytes")


def _authorization(headers: Headers) -> bytes | None:
    values = headers.values(b"authorization")
    if len(values) > 1:
        raise unauthorized("there are several Authorization headers", token_sent=True)
    return values[0] if values else None


def _require_json(headers: Headers) -> None:
    content_type = headers.single(b"content-type")
    if content_type == "application/json":
        return
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("unsupported-media-type", "the body must be application/json")


def _nowhere(methods: Mapping[str, object] | None) -> Problem:
    """404 where nothing stands, 405 where something does for these methods."""
    if methods is None:
        return Problem("not-found", "nothing stands here")
    allowed = ", ".join(sorted(methods))
    return Problem("method-not-allowed", f"this supports {allowed}", headers={"Allow": allowed})


def _framed(reply: Response, head: bool) -> tuple[ResponseHeaders, bytes]:
    """Headers with the body's length, where it may have one; no body for HEAD."""
    headers, body = reply.headers, reply.body
    if reply.status not in (204, 304):
        headers = [*headers, (b"content-length", b"%d" % len(body))]
    return headers, b"" if head else body


async def _stream(answer: StreamedResponse, head: bool, receive: Receive, send: Send) -> None:
    """A stream that fails is left unfinished: the server closes the connection."""
    await send({"type": "http.response.start", "status": answer.status, "headers": answer.headers})
    if head:
        await send({"type": "http.response.body", "body": b""})
        return
    writing = asyncio.create_task(answer.stream(_StreamWriter(send)))
    leaving = asyncio.create_task(_leave(receive))
    try:
        await asyncio.wait([writing, leaving], return_when=asyncio.FIRST_COMPLETED)
        if writing.done():
            writing.result()
            await send({"type": "http.response.body", "body": b""})
    except ClientGone:
        return
    except Exception as error:
        log.error("a stream failed", error=describe_error(error))
    finally:
        for task in (writing, leaving):
            task.cancel()
        await asyncio.wait([writing, leaving])


async def _leave(receive: Receive) -> None:
    """Returns when the client has left."""
    while (await receive())["type"] != "http.disconnect":
        pass


class _StreamWriter:
    """What a streamed response writes to."""

    __slots__ = ("_send",)

    def __init__(self, send: Send) -> None:
        self._send = send

    async def write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
