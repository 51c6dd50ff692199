"""The parts of the dashboard as each shard keeps them, and as the query service adds them up.

JSON under `dashboard_key`; absent where the shard never had an event. Amounts are minor units.
"""

from typing import Final

from typing_extensions import TypedDict

DAYS_KEPT: Final = 35


class StatusCounts(TypedDict):
    placed: int
    shipped: int
    delivered: int
    cancelled: int


class CurrencyRevenue(TypedDict):
    """Of the orders that were not cancelled: their totals' sum and their number."""

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
    """Of a shard of `orders`. Days and currencies without an order are left out.

    `by_day` keeps the days later than `latest_day` less DAYS_KEPT; `latest_day` is the latest one
    on which an order was placed, cancelled ones included, or null. Days are `2026-03-01`.
    """

    statuses: StatusCounts
    revenue: dict[str, CurrencyRevenue]
    by_day: dict[str, DayOfOrders]
    latest_day: str | None


class UsersPart(TypedDict):
    """Of a shard of `users`: those not erased."""

    users: int


class ProductsPart(TypedDict):
    """Of a shard of `products`: active ones, and those of them that have no stock."""

    active: int
    sold_out: int
