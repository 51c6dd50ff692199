"""Converts a request to a command, and the command's result to a response."""

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from command_service.commands.command import AnyCommand, CommandMessage, Context
from command_service.exceptions import Overloaded, Unavailable
from command_service.executor import Executor
from command_service.http.headers import idempotency_key, if_match, traceparent
from command_service.metrics import Metrics
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted, Rejected, Result
from shared.contracts.ids import parse_id
from shared.http.invalid_fields import read_json
from shared.http.messages import Request, Response, json_response
from shared.http.problems import Problem, forbidden, unavailable

_DEADLINE_S: Final = 9.0
_REPLAYED: Final = (b"idempotent-replayed", b"true")


@dataclass(frozen=True, slots=True)
class IdFactory:
    """Creates ids, with a random placement or with that of another id."""

    new_id: Callable[[], str]
    colocated_with: Callable[[str], str]


class CommandEndpoint:
    """Handles the requests of one command. `request_key` returns the key of request hashes,
    `now` the time of events."""

    def __init__(
        self,
        command: AnyCommand,
        executor: Executor,
        ids: IdFactory,
        request_key: Callable[[], bytes],
        now: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        self._command = command
        self._executor = executor
        self._ids = ids
        self._request_key = request_key
        self._now = now
        self._outcomes = {
            outcome: metrics.commands.labels(command.name, outcome)
            for outcome in ("accepted", "rejected", "unavailable")
        }

    async def __call__(self, request: Request) -> Response:
        pending = self._pending(request)
        try:
            result = await self._executor.execute(pending)
        except (Overloaded, Unavailable) as error:
            self._outcomes["unavailable"].inc()
            detail = str(error) or "too many commands are queued; retry later"
            raise unavailable(detail) from error
        return self._response(result)

    def _pending(self, request: Request) -> PendingCommand:
        key, version = idempotency_key(request), if_match(request)
        message: CommandMessage = read_json(self._command.message, self._body(request))
        loop = asyncio.get_running_loop()
        return PendingCommand(
            command=self._command,
            message=message,
            context=self._context(request, message, version),
            idempotency_key=key,
            request_hash=b"" if key is None else self._hash(request, message, version),
            traceparent=traceparent(request),
            deadline=loop.time() + _DEADLINE_S,
            result=loop.create_future(),
        )

    def _body(self, request: Request) -> bytes:
        """Commands without fields need no body."""
        return request.body or (b"" if self._command.message.model_fields else b"{}")

    def _context(self, request: Request, message: CommandMessage, version: int | None) -> Context:
        caller = request.caller
        assert caller is not None
        unrestricted_scope = self._command.scopes[-1]
        has_unrestricted_scope = unrestricted_scope in caller.scopes
        if (
            self._command.owner
            and not has_unrestricted_scope
            and self._command.owner(message) != caller.sub
        ):
            raise forbidden(unrestricted_scope)
        return Context(
            id=self._target_id(request, message),
            caller=caller.sub,
            has_unrestricted_scope=has_unrestricted_scope,
            at=self._now(),
            if_match=version,
        )

    def _target_id(self, request: Request, message: CommandMessage) -> str:
        if self._command.owner is not None:
            return self._ids.colocated_with(self._command.owner(message))
        if self._command.creates:
            return self._ids.new_id()
        id = parse_id(request.path_params["id"])
        if id is None:
            raise Problem("not-found", "the id in the path is not a UUID")
        return id

    def _hash(self, request: Request, message: CommandMessage, version: int | None) -> bytes:
        """Equal for equal requests; keyed, so that a stored hash does not reveal the request."""
        digest = hashlib.blake2b(key=self._request_key(), digest_size=32)
        path = request.path if self._command.creates else request.path.lower()
        for part in (request.method, path, str(version), message.model_dump_json()):
            digest.update(part.encode())
            digest.update(b"\0")
        return digest.digest()

    def _response(self, result: Result) -> Response:
        match result:
            case Accepted():
                self._outcomes["accepted"].inc()
                return self._accepted(result)
            case Rejected():
                self._outcomes["rejected"].inc()
                headers = {"Idempotent-Replayed": "true"} if result.replayed else None
                raise Problem(result.reason, result.detail, headers=headers)

    def _accepted(self, result: Accepted) -> Response:
        headers = [(b"consistency-token", result.token.encode())]
        if self._command.method != "PUT":
            headers.append((b"etag", b'"%d"' % result.version))
        if self._command.creates:
            headers.append((b"location", f"{self._command.path}/{result.id}".encode()))
        if result.replayed:
            headers.append(_REPLAYED)
        body = f'{{"id":"{result.id}","version":{result.version}}}'.encode()
        return json_response(201 if self._command.creates else 200, body, *headers)
