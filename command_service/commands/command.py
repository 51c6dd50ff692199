"""What a command is: a message, what it touches, and the pure function that decides it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from command_service.domain.shop import Shop
from shared.contracts.events import Event
from shared.contracts.shards import Topic


class Message(BaseModel):
    """A command's fields, as they are sent. Unknown fields are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Context:
    """Who sends a command, to what, and when.

    `id` is the aggregate that the command is sent to, or the id for the one that it creates.
    `has_unrestricted_scope` says that the caller may touch what belongs to others.
    """

    id: str
    caller: str
    has_unrestricted_scope: bool
    at: datetime
    if_match: int | None = None


@dataclass(frozen=True, slots=True)
class Touched:
    """The aggregates whose state a decision needs, and the emails that it wants to take."""

    users: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    orders_with_products: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Command(Generic[M]):
    """A kind of command.

    `decide` gives the events that follow, none where nothing changes, or raises Rejection. It is
    pure: the same message, context and shop give the same answer.
    """

    name: str
    message: type[M]
    method: Literal["POST", "PUT", "DELETE"]
    path: str
    topic: Topic
    scopes: tuple[str, ...]
    touches: Callable[[M, Context], Touched]
    decide: Callable[[M, Context, Shop], list[Event]]
    problems: tuple[str, ...] = ()
    """What it may be refused for, beyond what every command may be."""
    creates: bool = False
    owner: Callable[[M], str] | None = None
    """For a command on behalf of a user named in its body: that user's id."""


AnyCommand = Command[Any]
