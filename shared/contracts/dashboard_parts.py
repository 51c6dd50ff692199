"""Each shard's part of the dashboard, as the projector stores it and the query service sums it.

JSON under `dashboard_key`; absent if the shard has no event yet. Amounts are minor units.
"""

import json
import re
from typing import Any, Final, NotRequired

import orjson
from typing_extensions import TypedDict

DAYS_KEPT: Final = 35
_LARGE_INTEGER: Final = re.compile(rb"[0-9]{19}")


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

    Days are `2026-03-01`. `by_day` has the newest DAYS_KEPT days; `dropped_day` is the newest one
    that it no longer has. An order dated ahead by a wrong clock therefore takes one day's place.
    `latest_day`, the latest day on which an order was placed, is for projectors of earlier
    versions.
    """

    statuses: StatusCounts
    payments: PaymentCounts
    revenue: dict[str, CurrencyRevenue]
    by_day: dict[str, DayOfOrders]
    latest_day: str | None
    dropped_day: NotRequired[str]


class UsersPart(TypedDict):
    """The part of a shard of `users`: the number of users that were not erased."""

    users: int


class ProductsPart(TypedDict):
    """The part of a shard of `products`: active products, and those of them without stock."""

    active: int
    sold_out: int


def encode_figures(figures: Any) -> bytes:
    """JSON. A sum can exceed the 64 bits to which orjson limits integers."""
    try:
        return orjson.dumps(figures)
    except orjson.JSONEncodeError:
        return json.dumps(figures, separators=(",", ":"), ensure_ascii=False).encode()


def decode_part(stored: bytes) -> Any:
    """A stored part. orjson would convert an integer of more than 64 bits to a float."""
    return json.loads(stored) if _LARGE_INTEGER.search(stored) else orjson.loads(stored)
