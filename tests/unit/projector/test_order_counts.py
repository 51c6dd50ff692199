"""Revenue of any size, and the days of the dashboard after orders dated by a wrong clock."""

import random
from datetime import date, timedelta
from typing import Any

import orjson
import pytest

from projector.views.order_counts import count, empty_part
from shared.contracts.dashboard_parts import (
    DAYS_KEPT,
    OrdersPart,
    decode_part,
    encode_part,
)

TODAY = date(2026, 3, 1)


def order(day: date, amount: int = 100, status: str = "placed", currency: str = "EUR") -> Any:
    return {
        "status": status,
        "total": {"amount": amount, "currency": currency},
        "placed_at": f"{day.isoformat()}T12:00:00.000Z",
        "payment": None,
    }


def placed(part: OrdersPart, day: date, amount: int = 100) -> None:
    count(part, None, order(day, amount))


def cancelled(part: OrdersPart, day: date, currency: str = "EUR") -> None:
    count(part, order(day, currency=currency), order(day, status="cancelled", currency=currency))


@pytest.mark.parametrize("amount", [2**53, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 10**30])
def test_a_part_keeps_sums_of_any_size(amount: int) -> None:
    part = empty_part()
    placed(part, TODAY, amount)
    placed(part, TODAY, 1)
    stored = encode_part(part)
    assert decode_part(stored) == part
    assert decode_part(stored)["revenue"]["EUR"]["amount"] == amount + 1
    part["revenue"]["EUR"]["amount"] = 5
    part["by_day"] = {}
    assert encode_part(part) == orjson.dumps(part, option=orjson.OPT_SORT_KEYS)


def test_an_order_dated_ahead_does_not_remove_the_other_days() -> None:
    part = empty_part()
    placed(part, TODAY)
    placed(part, TODAY + timedelta(days=365))
    placed(part, TODAY)
    placed(part, TODAY + timedelta(days=1))
    assert [(day, figures["orders"]) for day, figures in sorted(part["by_day"].items())] == [
        ("2026-03-01", 2),
        ("2026-03-02", 1),
        ("2027-03-01", 1),
    ]


def test_the_newest_days_are_kept_and_a_dropped_day_does_not_return() -> None:
    part = empty_part()
    days = [TODAY + timedelta(days=n) for n in range(DAYS_KEPT + 2)]
    for day in days:
        placed(part, day)
    kept = [day.isoformat() for day in days[2:]]
    assert sorted(part["by_day"]) == kept
    assert part["dropped_day"] == days[1].isoformat()
    placed(part, days[1])
    cancelled(part, days[0])
    assert sorted(part["by_day"]) == kept
    cancelled(part, days[2])
    placed(part, days[1])
    assert sorted(part["by_day"]) == kept[1:]
    placed(part, days[2])
    assert sorted(part["by_day"]) == kept


def test_the_kept_days_do_not_depend_on_the_order_of_the_events() -> None:
    """Aggregates that were parked are folded later than others."""
    days = [TODAY + timedelta(days=n) for n in range(DAYS_KEPT + 5)]
    parts = []
    for seed in range(20):
        part, shuffled = empty_part(), list(enumerate(days))
        random.Random(seed).shuffle(shuffled)
        for number, day in shuffled:
            placed(part, day)
            if number % 3 == 0:
                cancelled(part, day)
        parts.append(encode_part(part))
    assert set(parts) == {parts[0]}


def test_a_part_of_an_earlier_version_is_still_changed() -> None:
    """An order dated ahead had removed today from it."""
    ahead = TODAY + timedelta(days=365)
    part = empty_part()
    placed(part, ahead)
    part["statuses"]["placed"] += 2
    part["revenue"]["EUR"] = {"amount": 300, "orders": 3}
    part["revenue"]["USD"] = {"amount": 100, "orders": 1}
    stored: OrdersPart = decode_part(encode_part(part))
    placed(stored, TODAY)
    cancelled(stored, TODAY, "USD")
    assert stored["by_day"][TODAY.isoformat()] == {
        "orders": 1,
        "revenue": {"EUR": 100},
        "orders_in": {"EUR": 1},
    }
    cancelled(stored, TODAY - timedelta(days=1))
    assert sorted(stored["by_day"]) == [TODAY.isoformat(), ahead.isoformat()]
