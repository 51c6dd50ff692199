"""Converts events of an older shape to the current one before their fields are read.

If a field must change its name or form, the topics and the event log still contain old events;
an upcast here converts them. An upcast is pure, returns an event of the current shape unchanged,
and accepts null in a personal field.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: Final[Mapping[str, Upcast]] = MappingProxyType({})
"""By event type. No event has changed its shape yet."""


def upcast(type: str, data: dict[str, Any], upcasts: Mapping[str, Upcast]) -> dict[str, Any]:
    """The event's data in its current shape."""
    change = upcasts.get(type)
    return data if change is None else change(data)
