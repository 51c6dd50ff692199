"""Payment deadlines with killed replicas, without PostgreSQL, with wrong clocks, and erasures."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random

import asyncpg
import httpx
import pytest

from faults.nemesis import clocks
from tests.command_service.shop import add_product, create_user, fetch, log_types
from tests.command_service.test_payment_deadlines import cancelled, place
from tests.support.database import Database
from tests.support.identity import AUDIENCE, EVERYTHING, ISSUER, Identity
from tests.support.servers import Postgres
from tests.support.services import command_service
from tests.support.stack import Process
from tests.support.waiting import until

ORDERS = 200
_CANCELLED = """
SELECT l.actor, l.data->>'reason' AS reason, o.data->>'customer_name' AS customer_name,
    extract(epoch FROM l.time - (o.data->>'payment_due_at')::timestamptz)::float AS delay_s
FROM log AS l JOIN log AS o ON o.subject = l.subject AND o.type = 'order.placed'
WHERE l.type = 'order.cancelled'
"""
_CLAIMED = "SELECT FROM deadlines WHERE claimed_until > clock_timestamp()"
Replica = Callable[..., Process]


@pytest.fixture
def replica(migrated_database: Database, identity: Identity, tmp_path: Path) -> Iterator[Replica]:
    """Starts a command service as a process, which is killed after the test."""
    started: list[Process] = []

    def start(name: str, **environment: str) -> Process:
        url = migrated_database.command_service_url
        callers = {
            "JWKS_URL": identity.jwks_url,
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
        }
        all_variables = {"DATABASE_URL": url, **callers, **environment}
        process = Process(name, all_variables, tmp_path / f"{name}.log")
        started.append(process)
        process.start()
        return process

    yield start
    for process in started:
        if process.running:
            process.kill()


def client_of(process: Process, identity: Identity) -> httpx.AsyncClient:
    """Its token is valid although the clock of the process may be an hour off."""
    token = identity.token("tester", EVERYTHING, exp=4_000_000_000)
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.AsyncClient(base_url=process.url, headers=headers, timeout=20)


async def test_many_deadlines_of_one_second_are_met_once_each_despite_sigkill(
    migrated_database: Database, identity: Identity, replica: Replica
) -> None:
    both = [replica("command-service"), replica("command-service-2")]
    await asyncio.gather(*(process.ready() for process in both))
    async with client_of(both[0], identity) as one, client_of(both[1], identity) as other:
        customer, product = await create_user(one), await add_product(one, ORDERS)
        await asyncio.gather(
            *(place((one, other)[n % 2], customer, product, 4) for n in range(ORDERS))
        )
    # A lock holds the first batches, so that the first kill interrupts them.
    blocker = await asyncpg.connect(migrated_database.admin_url)
    async with blocker.transaction():
        await blocker.execute("SELECT FROM shards FOR UPDATE")

        async def claimed() -> bool:
            return await fetch(migrated_database, _CLAIMED) != []

        await until(claimed, "a replica has claimed deadlines")
        both[0].kill()
    await blocker.close()
    random = Random(1)
    await asyncio.sleep(random.uniform(0, 0.1))
    both[1].kill()
    assert await cancelled(migrated_database) < ORDERS
    for _ in range(3):
        for process in both:
            process.start()
        await random.choice(both).ready()
        await asyncio.sleep(random.uniform(0, 0.2))
        for process in both:
            process.kill()
    for process in both:
        process.start()

    async def none_is_due() -> bool:
        return await fetch(migrated_database, "SELECT FROM deadlines") == []

    await until(none_is_due, "no payment is due")
    subjects = await fetch(
        migrated_database, "SELECT subject FROM log WHERE type = 'order.cancelled'"
    )
    assert set(Counter(row["subject"] for row in subjects).values()) == {1}
    types = await log_types(migrated_database)
    assert types["order.cancelled"] == types["product.released"] == ORDERS
    (row,) = await fetch(migrated_database, "SELECT stock FROM products")
    assert row["stock"] == ORDERS


async def test_a_deadline_that_passed_while_postgresql_was_down_is_met_after_its_start(
    postgres: Postgres, commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    await place(commands, customer, product, 1)
    postgres.kill()
    try:
        await asyncio.sleep(1.5)  # the deadline passes
    finally:
        postgres.start()

    async def met() -> bool:
        return await cancelled(migrated_database) == 1

    await until(met, "the order is cancelled", seconds=5)
    (row,) = await fetch(migrated_database, "SELECT stock FROM products")
    assert row["stock"] == 10


@pytest.mark.skipif(clocks.library() is None, reason="libfaketime is not installed")
@pytest.mark.parametrize("offset", ["+3600", "-3600"])
async def test_a_replica_whose_clock_is_an_hour_off_meets_deadlines_in_time(
    migrated_database: Database, identity: Identity, replica: Replica, offset: str
) -> None:
    shifted = replica(
        "command-service",
        LD_PRELOAD=str(clocks.library()),
        FAKETIME=offset,
        FAKETIME_DONT_FAKE_MONOTONIC="1",
    )
    await shifted.ready()
    url = migrated_database.command_service_url
    async with client_of(shifted, identity) as commands, command_service(url, identity) as other:
        customer, product = await create_user(commands), await add_product(commands)
        for client in (commands, other):
            await place(client, customer, product, 1)
            await place(client, customer, product, 1800)

        async def two_are_cancelled() -> bool:
            return await cancelled(migrated_database) == 2

        await until(two_are_cancelled, "both orders that are due are cancelled", seconds=10)
    rows = await fetch(migrated_database, _CANCELLED)
    assert [row["actor"] for row in rows] == ["tandem:payment-deadline"] * 2
    assert all(0 <= row["delay_s"] < 5 for row in rows)
    assert len(await fetch(migrated_database, "SELECT FROM deadlines")) == 2


async def test_unpaid_orders_of_an_erased_user_are_cancelled(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    for seconds in (1, 3):  # the deadlines are before and after the orders are anonymized
        await place(commands, customer, product, seconds)
    paid = await place(commands, customer, product, 3)
    assert (await commands.delete(f"/v1/users/{customer}")).status_code == 200
    payment = await commands.post(f"/v1/orders/{paid}/pay", json={"reference": "p-1"})
    assert payment.status_code == 200

    async def two_are_cancelled() -> bool:
        return await cancelled(migrated_database) == 2

    await until(two_are_cancelled, "the unpaid orders are cancelled", seconds=15)
    rows = await fetch(migrated_database, _CANCELLED)
    assert all(row["delay_s"] >= 0 for row in rows)

    async def anonymized() -> bool:
        return (await log_types(migrated_database)).get("order.anonymized", 0) == 3

    await until(anonymized, "all orders are anonymized")
    rows = await fetch(migrated_database, _CANCELLED)
    assert {(row["actor"], row["reason"], row["customer_name"]) for row in rows} == {
        ("tandem:payment-deadline", None, None)
    }
    (row,) = await fetch(migrated_database, "SELECT stock FROM products")
    assert row["stock"] == 9
    label = {"carrier": "Post", "tracking_number": "X1"}
    assert (await commands.post(f"/v1/orders/{paid}/ship", json=label)).status_code == 200
