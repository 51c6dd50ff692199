"""What a process is: which aggregates have a deadline, and the command that is sent then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from command_service.commands.command import AnyCommand, CommandMessage
from shared.contracts.shards import Topic


@dataclass(frozen=True, slots=True)
class Process:
    """Sends `command` to each aggregate of `topic` whose deadline has passed.

    The deadline is a pure function of the aggregate's state. It is stored in the transaction that
    changes the state. The command is executed like any other one, with the actor `tandem:<name>`,
    and only if the aggregate still has the version that the deadline was stored with. It must
    change the aggregate such that the deadline ends; otherwise it is sent repeatedly.
    """

    name: str
    topic: Topic
    has_deadlines: Callable[[Any], bool]
    """Whether the aggregate has, or may have had, a deadline. Saves a look-up for all others."""
    deadline: Callable[[Any], datetime | None]
    """When the command is due; None if it is not."""
    command: AnyCommand
    message: CommandMessage

    @property
    def actor(self) -> str:
        return f"tandem:{self.name}"
