"""A command that waits for its result."""

import asyncio
from dataclasses import dataclass

from command_service.commands.command import AnyCommand, CommandMessage, Context
from command_service.write_store.results import CallerKey, Result


@dataclass(slots=True, eq=False)
class PendingCommand:
    """`request_hash` is a keyed hash of the request that came with `idempotency_key`.

    `deadline` is in the event loop's time. `result` is set when the command is decided; it fails
    with Unavailable if the command is not decided by then, or if the outcome is unknown.
    """

    command: AnyCommand
    message: CommandMessage
    context: Context
    idempotency_key: str | None
    request_hash: bytes
    traceparent: str | None
    deadline: float
    result: asyncio.Future[Result]

    @property
    def caller_key(self) -> CallerKey | None:
        """The key under which the result is stored."""
        if self.idempotency_key is None:
            return None
        return CallerKey(self.context.caller, self.idempotency_key)
