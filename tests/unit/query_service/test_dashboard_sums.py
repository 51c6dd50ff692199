"""The dashboard's sums."""

from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from hypothesis import given
from hypothesis import strategies as st

from query_service.dashboard import round_half_up, sum_parts
from shared.contracts.dashboard_parts import OrdersPart


@given(st.integers(0, 10**18), st.integers(1, 10**9))
def test_an_average_is_round_half_up(amount: int, orders: int) -> None:
    exact = (Decimal(amount) / Decimal(orders)).quantize(Decimal(1), ROUND_HALF_UP)
    assert round_half_up(amount, orders) == exact


def test_halves_are_rounded_up() -> None:
    assert [round_half_up(amount, 2) for amount in range(6)] == [0, 1, 1, 2, 2, 3]


def part(day: str, currency: str, amount: int) -> OrdersPart:
    return {
        "statuses": {"placed": 1, "shipped": 2, "delivered": 3, "cancelled": 4},
        "payments": {"due": 1, "paid": 2, "overdue": 3, "refund_due": 4, "refunded": 5},
        "revenue": {currency: {"amount": amount, "orders": 1}},
        "by_day": {day: {"orders": 1, "revenue": {currency: amount}, "orders_in": {currency: 1}}},
        "latest_day": day,
    }


def test_days_and_currencies_are_summed_over_the_shards() -> None:
    parts = [
        part("2026-03-01", "EUR", 5),
        part("2026-03-01", "CHF", 7),
        part("2026-03-01", "EUR", 2),
        part("2026-02-28", "EUR", 1),
    ]
    document = sum_parts(parts, [{"users": 2}, {"users": 3}], [], date(2026, 3, 1))
    assert document["orders"] == {
        "placed": 4,
        "shipped": 8,
        "delivered": 12,
        "cancelled": 16,
        "total": 40,
    }
    assert document["payments"] == {
        "due": 4,
        "paid": 8,
        "overdue": 12,
        "refund_due": 16,
        "refunded": 20,
    }
    assert document["users"] == 5
    assert [(r["currency"], r["amount"], r["average"]) for r in document["revenue"]] == [
        ("CHF", 7, 7),
        ("EUR", 8, 3),
    ]
    assert document["by_day"] == [
        {
            "date": "2026-03-01",
            "orders": 3,
            "revenue": [{"currency": "CHF", "amount": 7}, {"currency": "EUR", "amount": 7}],
        },
        {"date": "2026-02-28", "orders": 1, "revenue": [{"currency": "EUR", "amount": 1}]},
    ]


def test_the_last_thirty_days_include_today() -> None:
    parts = [part(day, "EUR", 1) for day in ("2026-03-31", "2026-03-02", "2026-03-01")]
    document = sum_parts(parts, [], [], date(2026, 3, 31))
    assert [day["date"] for day in document["by_day"]] == ["2026-03-31", "2026-03-02"]
