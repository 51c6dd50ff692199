"""The part of the shop that a batch of commands requires, updated while they are decided."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import cast

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
    """Aggregates by id, and user ids by email key. A missing aggregate does not exist."""

    users: dict[str, User] = field(default_factory=dict)
    products: dict[str, Product] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    emails: dict[str, str] = field(default_factory=dict)

    def apply(self, events: Iterable[Event]) -> None:
        """Apply the events of a decision, so that the next decision is based on them."""
        for event in events:
            id = event.id
            match event.topic:
                case "users":
                    self._replace_user(evolve_user(self.users.get(id), cast(UserEvent, event)))
                case "products":
                    product = self.products.get(id)
                    self.products[id] = evolve_product(product, cast(ProductEvent, event))
                case "orders":
                    order = self.orders.get(id)
                    self.orders[id] = evolve_order(order, cast(OrderEvent, event))

    def _replace_user(self, user: User) -> None:
        before = self.users.get(user.id)
        if before is not None and before.email is not None:
            self.emails.pop(email_key(before.email), None)
        if user.email is not None:
            self.emails[email_key(user.email)] = user.id
        self.users[user.id] = user
