"""Brings an event of an older shape to the present one, before anybody looks at its fields.

Where a field must change its name or its form, the topics and the log go on holding the old
events: a line here reads them as if they had been written today. An upcast is pure, leaves an
event of the present shape as it is, and reads null where a personal field was erased.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final

Upcast = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTS: Final[Mapping[str, Upcast]] = MappingProxyType({})
"""By event type. No event has changed its shape so far."""


def upcast(type: str, data: dict[str, Any], upcasts: Mapping[str, Upcast]) -> dict[str, Any]:
    """The event's value in its present shape."""
    change = upcasts.get(type)
    return data if change is None else change(data)
