"""What a view consists of: pure functions of one document before and after one event."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, get_args

from shared.contracts.events import Event
from shared.contracts.shards import Topic
from shared.contracts.upcasting import UPCASTS, Upcast
from shared.contracts.views import view_key

Document = Mapping[str, Any]


class CannotFold(ValueError):
    """The event does not follow from the document. The message quotes no value of either."""


@dataclass(frozen=True, slots=True)
class View:
    """One document per aggregate of a topic, its lists, and a part of the dashboard per shard.

    If one of its functions raises, the event's aggregate is parked in all views of the topic.
    """

    name: str
    """Unique. The topic's primary view has the topic's name, and keeps the aggregates' history."""
    topic: Topic
    events: Mapping[str, type[Event]]
    """All event types of the topic: `event_types(OrderEvent)`."""
    project: Callable[[Any, Any, str], Any]
    """(document or None, event, time) -> the next document, or None after the last event.

    A document has a field `version`, the version of its last event.
    """
    owner: Callable[[Any], str | None]
    """The id of the user who may read the document; None: every caller may."""
    lists: Callable[[str, Any], list[str]]
    """(shard, document) -> keys of the sorted sets that contain its id."""
    listed_by: tuple[str, ...]
    """The fields that `lists` depends on."""
    empty_part: Callable[[], Any]
    """The dashboard part of a shard without events."""
    count: Callable[[Any, Any, Any], None]
    """(part, before, after): changes the part in place."""
    anonymizes: type[Event] | None = None
    """The event that removes the personal fields from earlier history items (primary view)."""
    anonymized: Callable[[Any], Any] = lambda document: document
    """The document after that event, without a change of its version."""
    size: Callable[[Any], int] | None = None
    """The number of aggregates in a part; equals the events of `adds` minus those of `removes`."""
    adds: tuple[type[Event], ...] = ()
    """The events that add an aggregate to the list of all ids, and to the part."""
    removes: tuple[type[Event], ...] = ()
    """The events that remove it."""
    erases: type[Event] | None = None
    """The last event of an aggregate, which deletes all personal data (primary view)."""
    upcasts: Mapping[str, Upcast] = field(default_factory=lambda: UPCASTS)
    """Convert events of an older shape to the present one (primary view, for all views)."""

    @property
    def is_primary(self) -> bool:
        return self.name == self.topic

    def key(self, key: str) -> str:
        """The view's own form of a key of `shared.contracts.views`."""
        return key if self.name == self.topic else view_key(self.name, key)


def event_types(union: Any) -> dict[str, type[Event]]:
    """The members of a union of events, such as `OrderEvent`, by their types."""
    return {event.type: event for event in get_args(union) or (union,)}


def existing(document: Any) -> Any:
    """The document. Raises CannotFold if there is none."""
    if document is None:
        raise CannotFold("there is no document yet")
    return document


def absent(document: Any) -> None:
    """Raises CannotFold if there is a document before the first event."""
    if document is not None:
        raise CannotFold("there is a document already")
