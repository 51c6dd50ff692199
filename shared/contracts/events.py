"""The events in the topics. Fields may be added; none is removed or changes its meaning.

Personal fields are null in an event that is published after its customer was erased.
"""

from typing import Annotated, ClassVar, Final, get_args

from pydantic import BaseModel, ConfigDict, Field

from shared.contracts.money import Money
from shared.contracts.shards import Topic

PERSONAL_DATA: Final = "x-personal-data"
Personal = Annotated[str | None, Field(json_schema_extra={PERSONAL_DATA: True})]


class Event(BaseModel):
    """A change of the aggregate `id`; `version` is the aggregate's version after it, from 1."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    type: ClassVar[str]
    topic: ClassVar[Topic]

    id: str
    version: int = Field(ge=1)


class UserCreated(Event):
    type, topic = "user.created", "users"
    name: Personal
    email: Personal


class UserRenamed(Event):
    type, topic = "user.renamed", "users"
    name: Personal


class UserEmailChanged(Event):
    type, topic = "user.email_changed", "users"
    email: Personal


class UserErased(Event):
    type, topic = "user.erased", "users"


class ProductAdded(Event):
    type, topic = "product.added", "products"
    name: str
    description: str
    price: Money
    stock: int


class ProductPriceChanged(Event):
    type, topic = "product.price_changed", "products"
    price: Money


class ProductRestocked(Event):
    """`stock` is the stock after the event, as in the events below."""

    type, topic = "product.restocked", "products"
    quantity: int
    stock: int


class ProductReserved(Event):
    type, topic = "product.reserved", "products"
    order_id: str
    quantity: int
    stock: int


class ProductReleased(Event):
    type, topic = "product.released", "products"
    order_id: str
    quantity: int
    stock: int


class ProductRetired(Event):
    type, topic = "product.retired", "products"


class PlacedItem(BaseModel):
    """A line of an order, with the product's price and name when the order was placed."""

    model_config = ConfigDict(frozen=True, extra="ignore")
    product_id: str
    name: str
    quantity: int
    unit_price: Money


class OrderPlaced(Event):
    type, topic = "order.placed", "orders"
    customer_id: str
    customer_name: Personal
    items: list[PlacedItem]
    total: Money
    shipping_address: Personal
    payment_due_at: str | None = None
    """RFC 3339; null if no payment is awaited."""


class OrderPaid(Event):
    """`reference` names the payment at the payment provider. It is not personal data."""

    type, topic = "order.paid", "orders"
    reference: str


class OrderRefunded(Event):
    type, topic = "order.refunded", "orders"
    reference: str


class OrderShipped(Event):
    type, topic = "order.shipped", "orders"
    carrier: Personal
    tracking_number: Personal


class OrderDelivered(Event):
    type, topic = "order.delivered", "orders"


class OrderCancelled(Event):
    type, topic = "order.cancelled", "orders"
    reason: Personal


class OrderAnonymized(Event):
    """The order's customer was erased."""

    type, topic = "order.anonymized", "orders"


UserEvent = UserCreated | UserRenamed | UserEmailChanged | UserErased
ProductEvent = (
    ProductAdded
    | ProductPriceChanged
    | ProductRestocked
    | ProductReserved
    | ProductReleased
    | ProductRetired
)
OrderEvent = (
    OrderPlaced
    | OrderPaid
    | OrderRefunded
    | OrderShipped
    | OrderDelivered
    | OrderCancelled
    | OrderAnonymized
)

EVENTS: Final[dict[str, type[Event]]] = {
    event.type: event
    for union in (UserEvent, ProductEvent, OrderEvent)
    for event in get_args(union)
}


def personal_fields(event: type[Event]) -> list[str]:
    """The fields that are set to null when their customer is erased."""
    return [
        name
        for name, field in event.model_fields.items()
        if isinstance(field.json_schema_extra, dict) and PERSONAL_DATA in field.json_schema_extra
    ]
