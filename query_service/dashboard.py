"""Sums the shards' parts of the dashboard. Pure."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta
from typing import Final

from typing_extensions import TypedDict

from shared.contracts.dashboard_parts import OrdersPart, PaymentCounts, ProductsPart, UsersPart

MAX_DAYS: Final = 30


class OrderCounts(TypedDict):
    placed: int
    shipped: int
    delivered: int
    cancelled: int
    total: int


class Revenue(TypedDict):
    """`average` is amount / orders, rounded half up."""

    currency: str
    amount: int
    orders: int
    average: int


class DayRevenue(TypedDict):
    currency: str
    amount: int


class Day(TypedDict):
    date: str
    orders: int
    revenue: list[DayRevenue]


class DashboardDocument(TypedDict):
    orders: OrderCounts
    revenue: list[Revenue]
    by_day: list[Day]
    payments: PaymentCounts
    users: int
    products: int
    sold_out: int


def sum_parts(
    orders: Sequence[OrdersPart],
    users: Sequence[UsersPart],
    products: Sequence[ProductsPart],
    today: date,
) -> DashboardDocument:
    """The dashboard; `today` is the day in UTC."""
    return {
        "orders": _counts(orders),
        "revenue": _revenue(orders),
        "by_day": _by_day(orders, today),
        "payments": _payments(orders),
        "users": sum(part["users"] for part in users),
        "products": sum(part["active"] for part in products),
        "sold_out": sum(part["sold_out"] for part in products),
    }


def round_half_up(amount: int, divisor: int) -> int:
    """amount / divisor; both are not negative."""
    return (2 * amount + divisor) // (2 * divisor)


def _counts(parts: Sequence[OrdersPart]) -> OrderCounts:
    counts = [part["statuses"] for part in parts]
    placed = sum(count["placed"] for count in counts)
    shipped = sum(count["shipped"] for count in counts)
    delivered = sum(count["delivered"] for count in counts)
    cancelled = sum(count["cancelled"] for count in counts)
    return {
        "placed": placed,
        "shipped": shipped,
        "delivered": delivered,
        "cancelled": cancelled,
        "total": placed + shipped + delivered + cancelled,
    }


def _payments(parts: Iterable[OrdersPart]) -> PaymentCounts:
    """Parts that were stored before payments existed have no counts of payments."""
    counts: PaymentCounts = {"due": 0, "paid": 0, "overdue": 0, "refund_due": 0, "refunded": 0}
    for part in parts:
        stored = part.get("payments", {})
        counts["due"] += stored.get("due", 0)
        counts["paid"] += stored.get("paid", 0)
        counts["overdue"] += stored.get("overdue", 0)
        counts["refund_due"] += stored.get("refund_due", 0)
        counts["refunded"] += stored.get("refunded", 0)
    return counts


def _revenue(parts: Iterable[OrdersPart]) -> list[Revenue]:
    amounts: defaultdict[str, int] = defaultdict(int)
    orders: defaultdict[str, int] = defaultdict(int)
    for part in parts:
        for currency, revenue in part["revenue"].items():
            amounts[currency] += revenue["amount"]
            orders[currency] += revenue["orders"]
    return [
        {
            "currency": currency,
            "amount": amount,
            "orders": orders[currency],
            "average": round_half_up(amount, orders[currency]),
        }
        for currency, amount in sorted(amounts.items())
    ]


def _by_day(parts: Iterable[OrdersPart], today: date) -> list[Day]:
    first, last = (today - timedelta(days=MAX_DAYS - 1)).isoformat(), today.isoformat()
    orders: defaultdict[str, int] = defaultdict(int)
    amounts: defaultdict[str, defaultdict[str, int]] = defaultdict(lambda: defaultdict(int))
    for part in parts:
        for day, sums in part["by_day"].items():
            if first <= day <= last:
                orders[day] += sums["orders"]
                for currency, amount in sums["revenue"].items():
                    amounts[day][currency] += amount
    return [
        {"date": day, "orders": orders[day], "revenue": _day_revenue(amounts[day])}
        for day in sorted(orders, reverse=True)
    ]


def _day_revenue(amounts: Mapping[str, int]) -> list[DayRevenue]:
    return [
        {"currency": currency, "amount": amount} for currency, amount in sorted(amounts.items())
    ]
