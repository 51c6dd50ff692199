"""What a view is made of: all pure, all a matter of one document before and after one event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from shared.contracts.events import Event
from shared.contracts.shards import Topic
from shared.contracts.upcasting import UPCASTS, Upcast

Document = Mapping[str, Any]


class CannotFold(ValueError):
    """The event does not follow from the document; the message quotes no value of either."""


@dataclass(frozen=True, slots=True)
class View:
    """A topic's view. Whatever its functions raise, the event is parked, not the shard."""

    topic: Topic
    events: Mapping[str, type[Event]]
    """The event types it folds; it ignores all others."""
    project: Callable[[Any, Any, str], Any]
    """(document or None, event, time) -> the document after it; None: gone, with its history."""
    owner: Callable[[Any], str | None]
    """Who may read the document besides those who may read all."""
    lists: Callable[[str, Any], list[str]]
    """(shard, document) -> keys of the sorted sets that its id stands in."""
    listed_by: tuple[str, ...]
    """The fields that `lists` depends on."""
    empty_part: Callable[[], Any]
    """The dashboard part of a shard without events."""
    count: Callable[[Any, Any, Any], None]
    """(part, before, after): changes the part in place."""
    anonymizes: type[Event] | None = None
    """The event after which the aggregate's first history item loses its personal fields."""
    upcasts: Mapping[str, Upcast] = field(default_factory=lambda: UPCASTS)
    """What brings events of an older shape to the present one."""


def existing(document: Any) -> Any:
    """The document that an event presumes."""
    if document is None:
        raise CannotFold("nothing is there yet")
    return document


def absent(document: Any) -> None:
    """A first event presumes that there is no document."""
    if document is not None:
        raise CannotFold("it is there already")
