"""The documents in the responses to queries. Amounts are minor units, times RFC 3339."""

from typing import Any, Literal

from typing_extensions import TypedDict

ProductStatus = Literal["active", "retired"]
OrderStatus = Literal["placed", "shipped", "delivered", "cancelled"]
PaymentStatus = Literal["none", "due", "paid", "overdue", "refund_due", "refunded"]


class MoneyDocument(TypedDict):
    amount: int
    currency: str


class UserDocument(TypedDict):
    id: str
    name: str
    email: str
    version: int
    created_at: str
    updated_at: str


class ProductDocument(TypedDict):
    id: str
    name: str
    description: str
    price: MoneyDocument
    stock: int
    status: ProductStatus
    version: int
    created_at: str
    updated_at: str


class OrderItem(TypedDict):
    product_id: str
    name: str
    quantity: int
    unit_price: MoneyDocument
    subtotal: MoneyDocument


class PaymentDocument(TypedDict):
    """`status` is `none` if unpaid without a deadline, `overdue` if cancelled unpaid with one.

    References name payments at the payment provider and are not personal data.
    """

    status: PaymentStatus
    due_at: str | None
    paid_at: str | None
    reference: str | None
    refunded_at: str | None
    refund_reference: str | None


class OrderDocument(TypedDict):
    """`customer_name` is the name when the order was placed; fields that do not apply are null."""

    id: str
    customer_id: str
    customer_name: str | None
    status: OrderStatus
    items: list[OrderItem]
    item_count: int
    total: MoneyDocument
    shipping_address: str | None
    carrier: str | None
    tracking_number: str | None
    cancel_reason: str | None
    payment: PaymentDocument
    placed_at: str
    shipped_at: str | None
    delivered_at: str | None
    cancelled_at: str | None
    version: int
    updated_at: str


class HistoryItem(TypedDict):
    """`data` is the event's fields without id and version; `by` is the actor."""

    type: str
    at: str
    by: str | None
    version: int
    data: dict[str, Any]
