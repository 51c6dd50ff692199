"""What the load knows of the shop: what it made, and what it was last told of each."""

from dataclasses import dataclass, field
from random import Random

from faults.history import Attempt


@dataclass(slots=True)
class Known:
    """An aggregate, as the last answer about it had it. `token` stands for that answer."""

    id: str
    version: int
    token: str
    state: str = "active"
    owner: str = ""


@dataclass(slots=True)
class Shelf:
    """By id, in the order in which they were made."""

    users: dict[str, Known] = field(default_factory=dict)
    products: dict[str, Known] = field(default_factory=dict)
    orders: dict[str, Known] = field(default_factory=dict)

    def learn(self, attempt: Attempt) -> None:
        """Take in the answer to an accepted command."""
        id, version, token = attempt.id, attempt.version or 1, attempt.answer_token or ""
        if id is None:
            return
        kind = attempt.path.split("/")[2]
        things: dict[str, Known] = getattr(self, kind)
        known = things.setdefault(id, Known(id, version, token))
        if version >= known.version:
            known.version, known.token = version, token
        if attempt.name == "PlaceOrder":
            known.state, known.owner = "placed", attempt.request["customer_id"]
        known.state = _STATES.get(attempt.name, known.state)

    def some(self, things: dict[str, Known], random: Random, *states: str) -> Known | None:
        """One of the latest in one of these states."""
        latest = [known for known in list(things.values())[-40:] if known.state in states]
        return random.choice(latest) if latest else None


_STATES = {
    "EraseUser": "erased",
    "RetireProduct": "retired",
    "ShipOrder": "shipped",
    "DeliverOrder": "delivered",
    "CancelOrder": "cancelled",
}
