"""A kind of command: its message, the state it requires, and the pure function that decides it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict

from command_service.domain.shop import Shop
from shared.contracts.events import Event
from shared.contracts.shards import Topic


class CommandMessage(BaseModel):
    """A command's fields in the request body. Unknown fields are rejected."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


@dataclass(frozen=True, slots=True)
class Context:
    """The caller, target and time of a command.

    `id` is that of the target, or of the aggregate that the command creates. A caller with
    `has_unrestricted_scope` has access to the data of all users.
    """

    id: str
    caller: str
    has_unrestricted_scope: bool
    at: datetime
    if_match: int | None = None


@dataclass(frozen=True, slots=True)
class RequiredState:
    """The aggregates that a decision is based on, by id, and the keys of the emails it assigns."""

    users: tuple[str, ...] = ()
    products: tuple[str, ...] = ()
    orders: tuple[str, ...] = ()
    orders_with_products: tuple[str, ...] = ()
    emails: tuple[str, ...] = ()


M = TypeVar("M", bound=CommandMessage)


@dataclass(frozen=True, slots=True)
class Command(Generic[M]):
    """A kind of command.

    `decide` returns the events, none if nothing changes, or raises Rejection. It is pure: its
    result depends on message, context and shop only.
    """

    name: str
    message: type[M]
    method: Literal["POST", "PUT", "DELETE"]
    path: str
    topic: Topic
    scopes: tuple[str, ...]
    required_state: Callable[[M, Context], RequiredState]
    decide: Callable[[M, Context, Shop], list[Event]]
    problems: tuple[str, ...] = ()
    """The problems that it can be rejected with, besides those of every command."""
    creates: bool = False
    owner: Callable[[M], str] | None = None
    """The user on whose behalf the command is, if its body contains that user's id."""


AnyCommand = Command[Any]
