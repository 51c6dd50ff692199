"""Each shard's part of the dashboard, as the projector stores it and the query service sums it.

JSON under `dashboard_key`; absent if the shard has no event yet. Amounts are minor units.
"""

from typing import Final

from typing_extensions import TypedDict

DAYS_KEPT: Final = 35


class StatusCounts(TypedDict):
    placed: int
    shipped: int
    delivered: int
    cancelled: int


class PaymentCounts(TypedDict):
    """Orders by payment status; `none` is not counted."""

    due: int
    paid: int
    overdue: int
    refund_due: int
    refunded: int


class CurrencyRevenue(TypedDict):
    """The sum of the totals and the number of the orders that were not cancelled."""

    amount: int
    orders: int


class DayOfOrders(TypedDict):
    """Orders placed on one UTC day that were not cancelled.

    `revenue` is currency -> amount, `orders_in` currency -> number of orders.
    """

    orders: int
    revenue: dict[str, int]
    orders_in: dict[str, int]


class OrdersPart(TypedDict):
    """The part of a shard of `orders`. Days and currencies without an order are absent.

    `latest_day` is the latest day on which an order was placed, cancelled or not, or null;
    `by_day` has the days later than `latest_day` minus DAYS_KEPT. Days are `2026-03-01`.
    """

    statuses: StatusCounts
    payments: PaymentCounts
    revenue: dict[str, CurrencyRevenue]
    by_day: dict[str, DayOfOrders]
    latest_day: str | None


class UsersPart(TypedDict):
    """The part of a shard of `users`: the number of users that were not erased."""

    users: int


class ProductsPart(TypedDict):
    """The part of a shard of `products`: active products, and those of them without stock."""

    active: int
    sold_out: int
