"""Orders that are not paid in time are cancelled once, by any number of replicas."""

import asyncio
import contextlib
from datetime import datetime

import httpx

from tests.command_service.shop import add_product, create_user, fetch, log_types, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service
from tests.support.waiting import until

REASON = "payment overdue"


async def place(
    commands: httpx.AsyncClient, customer: str, product: str, seconds: int | None
) -> str:
    body = {**order(customer, (product, 1)), "pay_within_seconds": seconds}
    response = await commands.post("/v1/orders", json=body)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def cancelled(database: Database) -> int:
    return (await log_types(database)).get("order.cancelled", 0)


async def test_an_unpaid_order_is_cancelled_within_a_second_and_returns_its_stock(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 5)
    unpaid = await place(commands, customer, product, 1)
    await place(commands, customer, product, None)
    paid = await place(commands, customer, product, 1)
    response = await commands.post(f"/v1/orders/{paid}/pay", json={"reference": "p-1"})
    assert response.json() == {"id": paid, "version": 2}

    async def one_is_cancelled() -> bool:
        return await cancelled(migrated_database) == 1

    await until(one_is_cancelled, "the unpaid order is cancelled")
    (event,) = await fetch(
        migrated_database,
        f"""SELECT l.subject::text, l.actor, l.data->>'reason' AS reason, l.time,
               (SELECT o.data->>'payment_due_at' FROM log AS o
                WHERE o.subject = l.subject AND o.type = 'order.placed') AS due_at
            FROM log AS l WHERE l.type = 'order.cancelled' AND l.subject = '{unpaid}'""",
    )
    assert (event["actor"], event["reason"]) == ("tandem:payment-deadline", REASON)
    late = (event["time"] - datetime.fromisoformat(event["due_at"])).total_seconds()
    assert 0 <= late < 1
    (row,) = await fetch(migrated_database, "SELECT stock FROM products")
    assert row["stock"] == 3
    assert await fetch(migrated_database, "SELECT 1 FROM deadlines") == []
    response = await commands.post(f"/v1/orders/{unpaid}/pay", json={"reference": "p-2"})
    assert (response.status_code, response.json()["detail"]) == (409, "the order is cancelled")


async def test_an_order_with_a_deadline_ships_only_after_it_is_paid(
    commands: httpx.AsyncClient,
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    placed = await place(commands, customer, product, 60)
    label = {"carrier": "Post", "tracking_number": "X1"}
    early = await commands.post(f"/v1/orders/{placed}/ship", json=label)
    assert (early.status_code, early.json()["detail"]) == (409, "the order is not paid yet")
    for version in (2, 2):  # the same reference changes nothing
        paid = await commands.post(f"/v1/orders/{placed}/pay", json={"reference": "p-1"})
        assert paid.json()["version"] == version
    other = await commands.post(f"/v1/orders/{placed}/pay", json={"reference": "p-2"})
    assert other.status_code == 409
    assert (await commands.post(f"/v1/orders/{placed}/ship", json=label)).status_code == 200


async def test_a_cancelled_order_that_was_paid_is_refunded_once(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    placed = await place(commands, customer, product, None)
    early = await commands.post(f"/v1/orders/{placed}/refund", json={"reference": "r-1"})
    assert early.status_code == 409
    await commands.post(f"/v1/orders/{placed}/pay", json={"reference": "p-1"})
    await commands.post(f"/v1/orders/{placed}/cancel", json={"reason": "no"})
    for _ in range(2):
        refund = await commands.post(f"/v1/orders/{placed}/refund", json={"reference": "r-1"})
        assert (refund.status_code, refund.json()["version"]) == (200, 4)
    other = await commands.post(f"/v1/orders/{placed}/refund", json={"reference": "r-2"})
    assert other.status_code == 409
    assert (await log_types(migrated_database))["order.refunded"] == 1


async def test_many_deadlines_of_one_second_are_met_once_each_by_two_replicas(
    migrated_database: Database, identity: Identity
) -> None:
    url = migrated_database.command_service_url
    async with command_service(url, identity) as one, command_service(url, identity) as other:
        customer, product = await create_user(one), await add_product(one, 200)
        both = (one, other)
        await asyncio.gather(*(place(both[n % 2], customer, product, 2) for n in range(200)))

        async def all_cancelled() -> bool:
            return await cancelled(migrated_database) >= 200

        await until(all_cancelled, "all orders are cancelled")
    types = await log_types(migrated_database)
    assert types["order.cancelled"] == types["product.released"] == 200
    (row,) = await fetch(migrated_database, "SELECT stock FROM products")
    assert row["stock"] == 200


async def test_of_a_payment_and_its_deadline_exactly_one_wins(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, 300)
    orders = await asyncio.gather(*(place(commands, customer, product, 1) for _ in range(100)))

    async def pay(n: int, order_id: str) -> int:
        await asyncio.sleep(0.7 + 0.007 * n)  # spread around the deadline: that is the race
        response = await commands.post(f"/v1/orders/{order_id}/pay", json={"reference": "p"})
        return response.status_code

    statuses = await asyncio.gather(*(pay(n, order) for n, order in enumerate(orders)))

    async def none_is_due() -> bool:
        return await fetch(migrated_database, "SELECT 1 FROM deadlines") == []

    await until(none_is_due, "no payment is due")
    rows = await fetch(
        migrated_database,
        """SELECT count(*) FILTER (WHERE type = 'order.paid') AS paid,
                  count(*) FILTER (WHERE type = 'order.cancelled') AS cancelled
           FROM log WHERE type IN ('order.paid', 'order.cancelled') GROUP BY subject""",
    )
    assert len(rows) == 100
    assert all(row["paid"] + row["cancelled"] == 1 for row in rows)
    assert sum(row["paid"] for row in rows) == statuses.count(200)
    assert set(statuses) <= {200, 409}


async def test_a_deadline_that_passed_while_no_service_ran_is_met_after_the_start(
    migrated_database: Database, identity: Identity
) -> None:
    url = migrated_database.command_service_url
    async with command_service(url, identity) as commands:
        customer, product = await create_user(commands), await add_product(commands)
        await place(commands, customer, product, 1)
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(asyncio.Event().wait(), 1.2)  # nothing runs: the deadline passes
    assert await cancelled(migrated_database) == 0
    async with command_service(url, identity):

        async def met() -> bool:
            return await cancelled(migrated_database) == 1

        await until(met, "the deadline is met after the start", seconds=5)
