"""A command that waits to be decided."""

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from command_service.commands.command import AnyCommand, Context, Message

if TYPE_CHECKING:
    from command_service.write_store.results import Answer


@dataclass(slots=True, eq=False)
class PendingCommand:
    """`request` is a keyed hash of the request that came with `key`, empty without one.

    `deadline` is in the event loop's time. `answer` is set once the command is decided, and fails
    with Unavailable where it was not known by then whether it was.
    """

    command: AnyCommand
    message: Message
    context: Context
    key: str | None
    request: bytes
    traceparent: str | None
    deadline: float
    answer: "asyncio.Future[Answer]"

    @property
    def name(self) -> tuple[str, str] | None:
        """The caller and the key under which the answer is stored."""
        return None if self.key is None else (self.context.caller, self.key)
