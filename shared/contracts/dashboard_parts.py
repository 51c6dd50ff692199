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

    Days are `2026-03-01`. Of all days on which an order was placed, the newest DAYS_KEPT are kept;
    an order dated ahead by a wrong clock takes the place of one of them. `empty_days` are those of
    them whose orders were all cancelled; `dropped_day` is the newest one that is not kept; both
    are absent if there is none. `latest_day`, the latest day, is for earlier projectors.
    """

    statuses: StatusCounts
    payments: PaymentCounts
    revenue: dict[str, CurrencyRevenue]
    by_day: dict[str, DayOfOrders]
    latest_day: str | None
    empty_days: NotRequired[list[str]]
    dropped_day: NotRequired[str]


class UsersPart(TypedDict):
    """The part of a shard of `users`: the number of users that were not erased."""

    users: int


class ProductsPart(TypedDict):
    """The part of a shard of `products`: active products, and those of them without stock."""

    active: int
    sold_out: int


def encode_part(part: Any) -> bytes:
    """The stored form of a part."""
    return _encode(part, sort_keys=True)


def decode_part(stored: bytes) -> Any:
    """A stored part. orjson would convert an integer of more than 64 bits to a float."""
    return json.loads(stored) if _LARGE_INTEGER.search(stored) else orjson.loads(stored)


def encode_figures(figures: Any) -> bytes:
    """JSON of sums of parts."""
    return _encode(figures, sort_keys=False)


def _encode(figures: Any, *, sort_keys: bool) -> bytes:
    """A sum can exceed the 64 bits to which orjson limits integers."""
    try:
        return orjson.dumps(figures, option=orjson.OPT_SORT_KEYS if sort_keys else 0)
    except orjson.JSONEncodeError:
        text = json.dumps(figures, separators=(",", ":"), ensure_ascii=False, sort_keys=sort_keys)
        return text.encode()
