"""The orders' part of the dashboard: counts by status, revenue, and both by day."""

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
    """The kept days depend on the set of days alone, not on the order of the events."""
    if part["latest_day"] is None or day > part["latest_day"]:
        part["latest_day"] = day
    by_day, empty = part["by_day"], part.get("empty_days", [])
    if day <= part.get("dropped_day", "") or day in by_day or day in empty:
        return
    part["empty_days"] = sorted([*empty, day])
    if len(by_day) + len(part["empty_days"]) > DAYS_KEPT:
        part["dropped_day"] = dropped = min(*by_day, *part["empty_days"])
        by_day.pop(dropped, None)
        _remove_empty_day(part, dropped)


def _remove_empty_day(part: OrdersPart, day: str) -> None:
    remaining = [empty for empty in part.get("empty_days", []) if empty != day]
    if remaining:
        part["empty_days"] = remaining
    else:
        part.pop("empty_days", None)


def _add(part: OrdersPart, order: OrderDocument, sign: int) -> None:
    currency, amount = order["total"]["currency"], order["total"]["amount"] * sign
    revenue = part["revenue"].setdefault(currency, {"amount": 0, "orders": 0})
    revenue["amount"] += amount
    revenue["orders"] += sign
    if revenue["orders"] == 0:
        del part["revenue"][currency]
    day = _day(order)
    if day > part.get("dropped_day", ""):
        _add_to_day(part, day, currency, amount, sign)


def _add_to_day(part: OrdersPart, day: str, currency: str, amount: int, sign: int) -> None:
    """Also removes a currency or a day without orders."""
    _remove_empty_day(part, day)
    entry = part["by_day"].setdefault(day, {"orders": 0, "revenue": {}, "orders_in": {}})
    entry["orders"] += sign
    entry["revenue"][currency] = entry["revenue"].get(currency, 0) + amount
    entry["orders_in"][currency] = entry["orders_in"].get(currency, 0) + sign
    if entry["orders_in"][currency] <= 0:  # less if an earlier version had dropped the day
        entry["orders"] -= entry["orders_in"][currency]
        del entry["revenue"][currency], entry["orders_in"][currency]
    if entry["orders"] == 0:
        del part["by_day"][day]
        part["empty_days"] = sorted([*part.get("empty_days", []), day])
