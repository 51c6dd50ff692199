"""One client's connection: requests are read one after the other, and each gets its response.

Bytes that arrive while a response is in progress are not parsed, and reading pauses. While the
client does not take what was sent, no further request is started.
"""

import asyncio
from typing import Final, cast

import structlog

from shared.http.addresses import forwarded_address, is_trusted, network_of, without_mapping
from shared.http.connections import Connections
from shared.http.encoding import encode_chunk, encode_head, encode_response
from shared.http.framing import (
    Body,
    BodyTooLarge,
    RequestHead,
    body_of,
    find_head,
    parse_head,
)
from shared.http.messages import ClientGone, Response, StreamedResponse, problem_response
from shared.http.problems import Problem, unavailable
from shared.logging_setup import describe_error

log = structlog.stdlib.get_logger(__name__)

_CONTINUE: Final = b"HTTP/1.1 100 Continue\r\n\r\n"
_SAFE_METHODS: Final = frozenset(["GET", "HEAD"])
_LINGER_S: Final = 2.0
_MAX_DISCARDED_BYTES: Final = 1024 * 1024
_MAX_SEND_S: Final = 60.0
_MAX_REJECTED_CONNECTIONS: Final = 64
_TOO_SLOW: Final = Problem("malformed-request", "the request took too long to arrive")


class Connection(asyncio.Protocol):
    """The protocol of one transport.

    `_waiting_since` is set while the server waits for the client: for a request to begin, for the
    rest of one, or for the end of the connection (`_discarding`).
    """

    _transport: asyncio.Transport

    def __init__(self, server: Connections) -> None:
        self._server = server
        self._address = self._network = ""
        self._is_proxy = False
        self._received = b""
        self._scanned = 0
        self._head: RequestHead | None = None
        self._body: Body | None = None
        self._body_bytes = 0
        self._task: asyncio.Task[None] | None = None
        self._started = False
        """Whether a part of the next request has arrived."""
        self._waiting_since: float | None = server.now
        self._discarding: int | None = None
        self._reading_paused = False
        self._held = 0
        self._unsent = 0
        self._congested_since: float | None = None
        self._stalled_since = 0.0
        self._drained: asyncio.Future[None] | None = None
        self._streaming = False

    # -- what the transport reports

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        server, limits = self._server, self._server.limits
        self._transport.set_write_buffer_limits(high=0)  # all unsent bytes are counted
        self._address = without_mapping(str((transport.get_extra_info("peername") or ("",))[0]))
        self._network = network_of(self._address)
        self._is_proxy = is_trusted(self._address, limits.trusted_proxies)
        server.open.add(self)
        server.idle.clear()
        count = server.by_network.get(self._network, 0) + 1
        server.by_network[self._network] = count
        if (excess := len(server.open) - limits.max_connections) > 0:
            self._reject_connection("connections", excess)
        elif (excess := count - limits.max_connections_per_address) > 0 and not self._is_proxy:
            self._reject_connection("connections_per_address", excess)

    def connection_lost(self, _error: Exception | None) -> None:
        server = self._server
        server.open.discard(self)
        count = server.by_network[self._network] - 1
        if count:
            server.by_network[self._network] = count
        else:
            del server.by_network[self._network]
        self._waiting_since = None
        self._received, self._body = b"", None
        self._cancel_read()
        self._account()
        self._end_congestion()
        if self._drained is not None and not self._drained.done():
            self._drained.set_exception(ClientGone())
        server.update_idle()

    def data_received(self, data: bytes) -> None:
        if self._discarding is not None:
            self._discarding += len(data)
            if self._discarding > _MAX_DISCARDED_BYTES:
                self._transport.abort()
            return
        self._received = self._received + data if self._received else data
        if self._task is not None or self._congested_since is not None:
            self._pause_reading()
            self._account()
            return
        if not self._started:
            self._started = True
            self._waiting_since = self._server.now
        self._advance()

    def eof_received(self) -> bool:
        """A client that closes its side has left: the transport closes."""
        self._discarding = 0
        self._waiting_since = self._server.now
        self._cancel_read()
        return False

    def _cancel_read(self) -> None:
        """Ends a read whose client left. A command is finished, so that its response is stored."""
        if self._task is not None and self._head is not None and self._head.method in _SAFE_METHODS:
            self._task.cancel()
            self._server.tasks.discard(self._task)
            self._body_bytes = 0  # a task that is cancelled before its first step frees nothing

    def pause_writing(self) -> None:
        server = self._server
        self._congested_since = self._stalled_since = server.now
        self._unsent = self._transport.get_write_buffer_size()
        server.unsent_bytes += self._unsent
        server.congested[self] = None
        server.shed_unsent()

    def resume_writing(self) -> None:
        self._end_congestion()
        if self._waiting_since is not None:
            self._waiting_since = self._server.now
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)
        if self._task is None and self._discarding is None:
            self._started = self._started or bool(self._received)
            self._advance()

    def _end_congestion(self) -> None:
        if self._congested_since is not None:
            self._congested_since = None
            self._server.unsent_bytes -= self._unsent
            self._server.congested.pop(self, None)

    # -- time

    def check_time(self, now: float) -> None:
        limits = self._server.limits
        if self._congested_since is not None:
            self._check_progress(now)
            return
        if self._waiting_since is None:
            return
        waited = now - self._waiting_since
        if self._discarding is not None:
            sending = self._transport.get_write_buffer_size() > 0
            if waited >= (limits.send_timeout_s if sending else _LINGER_S):
                self._transport.abort()
        elif self._started:
            if waited >= limits.request_timeout_s:
                self._server.application.count_rejected("slow_request")
                self._end_with(problem_response(_TOO_SLOW))
        elif waited >= limits.keep_alive_timeout_s:
            self._close()

    def _check_progress(self, now: float) -> None:
        """Cuts off a client that receives nothing, or one response for too long."""
        assert self._congested_since is not None
        unsent = self._transport.get_write_buffer_size()
        if unsent < self._unsent:
            self._server.unsent_bytes -= self._unsent - unsent
            self._unsent, self._stalled_since = unsent, now
        stalled = now - self._stalled_since >= self._server.limits.send_timeout_s
        if stalled or now - self._congested_since >= _MAX_SEND_S:
            self._server.application.count_rejected("slow_reader")
            self.cut_off()

    def stop(self) -> None:
        if self._streaming and self._task is not None:
            self._task.cancel()
        elif self._task is None and not self._started and self._discarding is None:
            self._close()

    def cut_off(self) -> None:
        """Closes at once. A command that is in progress is finished all the same."""
        self._transport.abort()
        self._end_congestion()

    # -- requests

    def _advance(self) -> None:
        """Starts the next request if it is complete and the client takes its responses."""
        try:
            while self._task is None and self._discarding is None:
                if self._congested_since is not None or not self._next_request():
                    break
        except Problem as problem:
            self._end_with(self._server.application.reject(problem, self._rejected_client()))
        self._account()
        if self._task is None and self._congested_since is None:
            self._resume_reading()

    def _next_request(self) -> bool:
        """Whether a request was started; if not, more bytes are needed. Raises Problem."""
        if self._head is None:
            if self._received.startswith(b"\r\n"):
                self._received = self._received[2:]
            end = find_head(self._received, self._scanned)
            if end < 0:
                self._scanned = len(self._received)
                return False
            self._head = parse_head(self._received[:end])
            self._received, self._scanned = self._received[end + 4 :], 0
            if self._head.length == 0:
                self._start(self._head, b"")
                return True
        return self._read_body(self._head)

    def _read_body(self, head: RequestHead) -> bool:
        try:
            if self._body is None:
                self._body = body_of(head, self._server.limits.max_body_bytes)
                if head.expects_continue and not self._received:
                    self._transport.write(_CONTINUE)
            rest = self._body.feed(self._received)
        except BodyTooLarge:
            head.keep_alive = False
            self._received = b""
            self._start(head, None)
            return True
        if rest is None:
            self._received = b""
            return False
        self._received = rest
        self._body_bytes = len(self._body.content)
        self._start(head, bytes(self._body.content))
        return True

    def _start(self, head: RequestHead, body: bytes | None) -> None:
        self._waiting_since = None
        self._started = False
        self._body = None
        self._task = task = self._server.loop.create_task(self._respond(head, body))
        self._server.tasks.add(task)

    async def _respond(self, head: RequestHead, body: bytes | None) -> None:
        server = self._server
        try:
            response = await server.application.handle(head, body, self._client(head))
            if not self._transport.is_closing():
                if isinstance(response, Response):
                    self._write(head, response)
                else:
                    await self._stream(head, response)
        except asyncio.CancelledError:
            self._transport.abort()
            raise
        except Exception as error:
            log.error("response_failed", error=describe_error(error))
            self._transport.abort()
        finally:
            self._body_bytes = 0
            self._account()
            server.tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
            if not server.open:
                server.update_idle()
        self._finish(head)

    def _client(self, head: RequestHead) -> str:
        if not self._is_proxy:
            return self._address
        return forwarded_address(head.headers, self._address, self._server.limits.trusted_proxies)

    def _rejected_client(self) -> str | None:
        """None behind a proxy, if the head that names the client cannot be read."""
        if self._head is not None:
            return self._client(self._head)
        return None if self._is_proxy else self._address

    def _finish(self, head: RequestHead) -> None:
        self._task = self._head = None
        if self._transport.is_closing():
            return
        if not head.keep_alive or self._server.stopping:
            self._linger()
            return
        self._waiting_since = self._server.now
        self._started = bool(self._received)
        if self._received or self._reading_paused:
            self._advance()

    # -- responses

    def _write(self, head: RequestHead, response: Response) -> None:
        closes = not head.keep_alive or self._server.stopping
        self._transport.write(encode_response(head, response, closes=closes))

    async def _stream(self, head: RequestHead, response: StreamedResponse) -> None:
        """A stream that fails remains unfinished: the connection closes without its last chunk."""
        chunked = head.minor_version == 1
        headers = list(response.headers)
        if chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        else:
            head.keep_alive = False
        closes = not head.keep_alive
        self._transport.write(encode_head(head, response.status, headers, closes=closes))
        if head.method == "HEAD":
            return
        self._streaming = True
        try:
            await response.stream(_StreamWriter(self, chunked))
        except ClientGone:
            return
        except asyncio.CancelledError:
            if not self._server.stopping:
                raise
        except Exception as error:
            log.error("stream_failed", error=describe_error(error))
            self._transport.abort()
            return
        finally:
            self._streaming = False
        if chunked and not self._transport.is_closing():
            self._transport.write(encode_chunk(b""))

    async def send_part(self, data: bytes, chunked: bool) -> None:
        if self._transport.is_closing():
            raise ClientGone
        if data:
            self._transport.write(encode_chunk(data) if chunked else data)
        if self._congested_since is not None:
            self._drained = self._server.loop.create_future()
            await self._drained

    # -- the end

    def _end_with(self, response: Response) -> None:
        """A response to a request that cannot be read further, and the end of the connection."""
        self._body = None
        head = self._head or RequestHead("GET", "")
        head.keep_alive = False
        self._head = None
        if not self._transport.is_closing():
            self._write(head, response)
            self._linger()

    def _reject_connection(self, reason: str, excess: int) -> None:
        self._server.application.count_rejected(reason)
        if excess > _MAX_REJECTED_CONNECTIONS:
            self._transport.abort()
        else:
            self._end_with(problem_response(unavailable("there are too many connections")))

    def _linger(self) -> None:
        """Closes for writing, and discards input until a timeout, so that the response arrives."""
        self._discarding = 0
        self._received = b""
        self._account()
        self._waiting_since = self._server.now
        self._resume_reading()
        if self._server.stopping or not self._transport.can_write_eof():
            self._close()
        else:
            self._transport.write_eof()

    def _close(self) -> None:
        """Closes once everything is sent; `check_time` aborts it if that takes too long."""
        self._discarding = 0
        self._waiting_since = self._server.now
        self._transport.close()

    # -- memory

    def _pause_reading(self) -> None:
        if not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _resume_reading(self) -> None:
        if self._reading_paused and not self._transport.is_closing():
            self._reading_paused = False
            self._transport.resume_reading()

    def _account(self) -> None:
        """Counts what the connection holds of a request; of an unfinished one in `receiving`."""
        server = self._server
        held = len(self._received) + self._body_bytes
        if self._body is not None:
            held += self._body.held
        if held == self._held:
            return
        grows = held > self._held
        server.received_bytes += held - self._held
        self._held = held
        if held and self._task is None:
            server.receiving[self] = None
        else:
            server.receiving.pop(self, None)
        if grows:
            server.shed_received(self)

    def reject_unfinished(self) -> None:
        if self._task is None:
            self._end_with(problem_response(unavailable("too many requests are arriving")))
        else:
            self.cut_off()


class _StreamWriter:
    """What a streamed response writes to."""

    __slots__ = ("_chunked", "_connection")

    def __init__(self, connection: Connection, chunked: bool) -> None:
        self._connection = connection
        self._chunked = chunked

    async def write(self, data: bytes) -> None:
        await self._connection.send_part(data, self._chunked)
