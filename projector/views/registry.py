"""The views of each topic.

To add a view, write a module like `orders.py`, give the view a name of its own, and list it in
VIEWS. It is folded in the same write as the other views of its topic; its keys are those of
`shared.contracts.views`, passed through `view_key`. It contains the events folded from then on:
to fold earlier ones as well, delete the checkpoints of the topic's shards, which rebuilds them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from projector.views.orders import ORDERS
from projector.views.products import PRODUCTS
from projector.views.users import USERS
from projector.views.view import View
from shared.contracts.events import EVENTS
from shared.contracts.shards import TOPICS

VIEWS: Final = (USERS, PRODUCTS, ORDERS)


def views_by_topic(views: Iterable[View]) -> dict[str, tuple[View, ...]]:
    """The views of each topic, the primary one first.

    Raises ValueError if two views have one name, a topic has no primary view, or a view misses an
    event type of its topic.
    """
    named: dict[str, View] = {}
    for view in views:
        if view.name in named:
            raise ValueError(f"two views are named {view.name}")
        named[view.name] = view
        missed = {e.type for e in EVENTS.values() if e.topic == view.topic} - view.events.keys()
        if missed:
            raise ValueError(f"view {view.name} misses {', '.join(sorted(missed))}")
    if missing := set(TOPICS) - named.keys():
        raise ValueError(f"no primary view: {', '.join(sorted(missing))}")
    return {
        topic: (
            named[topic],
            *(v for v in named.values() if v.topic == topic and not v.is_primary),
        )
        for topic in TOPICS
    }


VIEWS_BY_TOPIC: Final[Mapping[str, tuple[View, ...]]] = views_by_topic(VIEWS)

Shapes = Mapping[int, Sequence[View]]
"""The views of a topic by shape: those that this version can fold, the newest one and at least one
before it.
"""

SHAPES: Final[Mapping[str, Shapes]] = {
    "users": {1: VIEWS_BY_TOPIC["users"]},
    "products": {1: VIEWS_BY_TOPIC["products"]},
    "orders": {1: VIEWS_BY_TOPIC["orders"]},
}
"""A change of the fold of any event log gets a new shape; `shapes.json` has the digests."""


class UnknownShape(Exception):
    """The views have a shape of another version; they are left as they are."""


def views_of_shape(shard: str, shapes: Shapes, shape: int) -> Sequence[View]:
    """Raises UnknownShape."""
    if shape not in shapes:
        raise UnknownShape(f"{shard}: shape {shape}")
    return shapes[shape]
