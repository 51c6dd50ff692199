"""The orders' part of the dashboard: counts by status, revenue, and both by day."""

from datetime import date, timedelta
from functools import lru_cache

from projector.views.payments import count_payments, no_payments
from shared.contracts.dashboard_parts import DAYS_KEPT, OrdersPart
from shared.contracts.documents import OrderDocument


def empty_part() -> OrdersPart:
    return {
        "statuses": {"placed": 0, "shipped": 0, "delivered": 0, "cancelled": 0},
        "payments": no_payments(),
        "revenue": {},
        "by_day": {},
        "latest_day": None,
    }


def count(part: OrdersPart, before: OrderDocument | None, after: OrderDocument | None) -> None:
    """Changes the part in place. The order of events alone decides which days are kept."""
    if before is not None:
        part["statuses"][before["status"]] -= 1
    if after is not None:
        part["statuses"][after["status"]] += 1
    count_payments(part.setdefault("payments", no_payments()), before, after)
    if before is None and after is not None:
        _open_day(part, _day(after))
    sold, sells = _sells(before), _sells(after)
    if sold and not sells and before is not None:
        _add(part, before, -1)
    elif sells and not sold and after is not None:
        _add(part, after, 1)


def _sells(order: OrderDocument | None) -> bool:
    return order is not None and order["status"] != "cancelled"


def _day(order: OrderDocument) -> str:
    return order["placed_at"][:10]


def _open_day(part: OrdersPart, day: str) -> None:
    """Moves the window of kept days to a later day, and deletes the days before the window."""
    latest = part["latest_day"]
    if latest is not None and day <= latest:
        return
    part["latest_day"] = day
    limit = _limit(day)
    for old in [old for old in part["by_day"] if old <= limit]:
        del part["by_day"][old]


@lru_cache(maxsize=8)
def _limit(latest: str) -> str:
    return (date.fromisoformat(latest) - timedelta(days=DAYS_KEPT)).isoformat()


def _add(part: OrdersPart, order: OrderDocument, sign: int) -> None:
    currency, amount = order["total"]["currency"], order["total"]["amount"] * sign
    revenue = part["revenue"].setdefault(currency, {"amount": 0, "orders": 0})
    revenue["amount"] += amount
    revenue["orders"] += sign
    if revenue["orders"] == 0:
        del part["revenue"][currency]
    day = _day(order)
    if part["latest_day"] is not None and day > _limit(part["latest_day"]):
        _add_to_day(part, day, currency, amount, sign)


def _add_to_day(part: OrdersPart, day: str, currency: str, amount: int, sign: int) -> None:
    """Also removes a currency or a day without orders."""
    entry = part["by_day"].setdefault(day, {"orders": 0, "revenue": {}, "orders_in": {}})
    entry["orders"] += sign
    entry["revenue"][currency] = entry["revenue"].get(currency, 0) + amount
    entry["orders_in"][currency] = entry["orders_in"].get(currency, 0) + sign
    if entry["orders_in"][currency] == 0:
        del entry["revenue"][currency], entry["orders_in"][currency]
    if entry["orders"] == 0:
        del part["by_day"][day]
