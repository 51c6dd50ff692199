"""The shop as the load knows it: each aggregate that it created, as of the last response."""

from dataclasses import dataclass, field
from random import Random

from faults.history import Attempt


@dataclass(slots=True)
class KnownAggregate:
    """An aggregate as of the last response, and the consistency token of that response."""

    id: str
    version: int
    token: str
    state: str = "active"
    owner: str = ""
    paid: bool = False


@dataclass(slots=True)
class ShopModel:
    """Aggregates by id, in the order of creation."""

    users: dict[str, KnownAggregate] = field(default_factory=dict)
    products: dict[str, KnownAggregate] = field(default_factory=dict)
    orders: dict[str, KnownAggregate] = field(default_factory=dict)

    def record(self, attempt: Attempt) -> None:
        """Apply the response to an accepted command."""
        id, version, token = attempt.id, attempt.version or 1, attempt.response_token or ""
        if id is None:
            return
        kind = attempt.path.split("/")[2]
        aggregates: dict[str, KnownAggregate] = getattr(self, kind)
        known = aggregates.setdefault(id, KnownAggregate(id, version, token))
        if version >= known.version:
            known.version, known.token = version, token
        if attempt.name == "PlaceOrder":
            known.state, known.owner = "placed", attempt.request["customer_id"]
        known.state = _STATES.get(attempt.name, known.state)
        known.paid = known.paid or attempt.name == "PayOrder"
        if attempt.name == "CancelOrder" and known.paid:
            known.state = "refund_due"

    def choose(
        self, aggregates: dict[str, KnownAggregate], random: Random, *states: str
    ) -> KnownAggregate | None:
        """One of the latest 40, if it is in one of these states."""
        latest = [known for known in list(aggregates.values())[-40:] if known.state in states]
        return random.choice(latest) if latest else None


_STATES = {
    "EraseUser": "erased",
    "RetireProduct": "retired",
    "ShipOrder": "shipped",
    "DeliverOrder": "delivered",
    "CancelOrder": "cancelled",
    "RefundOrder": "refunded",
}
