"""The part of the shop that a batch of commands touches, as it stands while they are decided."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from command_service.domain.orders import Order, evolve_order
from command_service.domain.products import Product, evolve_product
from command_service.domain.users import User, email_key, evolve_user
from shared.contracts.events import (
    Event,
    OrderEvent,
    ProductEvent,
    UserEvent,
)


@dataclass(slots=True)
class Shop:
    """Aggregates by id; who has which email, by its key. What is missing does not exist."""

    users: dict[str, User] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)

    def apply(self, events: Iterable[Event]) -> None:
        """Make what was decided the state that the next decision sees."""
        for event in events:
            if isinstance(event, UserEvent):
                self._replace_user(evolve_user(self.users.get(event.id), event))
            elif isinstance(event, ProductEvent):
                product = self.products.get(event.id)
                self.products[event.id] = evolve_product(product, event)
            elif isinstance(event, OrderEvent):
                self.orders[event.id] = evolve_order(self.orders.get(event.id), event)
            else:
                raise TypeError(f"no aggregate takes {event.type}")

    def _replace_user(self, user: User) -> None:
        before = self.users.get(user.id)
        if before is not None and before.email is not None:
            self.emails.pop(email_key(before.email), None)
        if user.email is not None:
            self.emails[email_key(user.email)] = user.id
        self.users[user.id] = user
