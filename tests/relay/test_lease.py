"""The fair share of the shards, and who counts for it, on a real server."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta

import asyncpg
import pytest

from command_service.relay.database import connect, disconnect
from command_service.relay.lease import Lease, Leases
from shared.contracts.shards import all_shards
from tests.relay.conftest import StartRelay
from tests.relay.harness import PARTITIONS, Events
from tests.support.database import Database
from tests.support.waiting import until

SHARDS = len(all_shards(PARTITIONS))
TERM = timedelta(minutes=10)


@pytest.fixture
async def pool(migrated_database: Database) -> AsyncIterator["asyncpg.Pool[asyncpg.Record]"]:
    pool = connect(migrated_database.relay_url)
    await pool
    yield pool
    await disconnect(pool)


class RelayUnderTest:
    """A relay without loops: its registration and its leases."""

    def __init__(self, pool: "asyncpg.Pool[asyncpg.Record]", events: Events) -> None:
        self.id = uuid.uuid4()
        self.leases = Leases(pool, self.id, TERM.total_seconds(), lambda: 0.0)
        self.held: list[Lease] = []
        self._events = events

    async def register(self, age: timedelta = timedelta(0)) -> "RelayUnderTest":
        """As if it had registered this long ago, and renewed since."""
        await self.leases.renew(self.held)
        await self._events.execute(
            "UPDATE relays SET registered_at = clock_timestamp() - $2::interval WHERE id = $1",
            self.id,
            age,
        )
        return self

    async def acquire(self, count: int) -> None:
        self.held += await self.leases.acquire(count, [])
        assert len(self.held) == count

    async def share(self) -> int | None:
        """None: on probation."""
        survey = await self.leases.survey()
        return None if survey.on_probation else survey.fair_share()


@pytest.fixture
async def established(pool: "asyncpg.Pool[asyncpg.Record]", events: Events) -> RelayUnderTest:
    """A relay that has held all shards for a long time."""
    relay = await RelayUnderTest(pool, events).register(10 * TERM)
    await relay.acquire(SHARDS)
    return relay


async def test_new_relays_share_the_shards_if_none_is_established(
    pool: "asyncpg.Pool[asyncpg.Record]", events: Events
) -> None:
    first = await RelayUnderTest(pool, events).register()
    assert await first.share() == SHARDS
    second = await RelayUnderTest(pool, events).register()
    assert (await first.share(), await second.share()) == (SHARDS / 2, SHARDS / 2)


async def test_a_new_relay_gets_its_share_after_a_term(
    established: RelayUnderTest, pool: "asyncpg.Pool[asyncpg.Record]", events: Events
) -> None:
    new = await RelayUnderTest(pool, events).register()
    assert (await established.share(), await new.share()) == (SHARDS, None)
    await new.register(TERM * 1.01)
    assert (await established.share(), await new.share()) == (SHARDS / 2, SHARDS / 2)


@pytest.mark.parametrize("lifetime", [timedelta(0), TERM / 2, TERM * 0.99])
async def test_relays_that_died_within_a_term_take_no_shards(
    established: RelayUnderTest,
    pool: "asyncpg.Pool[asyncpg.Record]",
    events: Events,
    lifetime: timedelta,
) -> None:
    for _ in range(10):
        await RelayUnderTest(pool, events).register(lifetime)
    assert await established.share() == SHARDS


async def test_a_relay_that_acquires_nothing_does_not_count_for_long(
    established: RelayUnderTest, pool: "asyncpg.Pool[asyncpg.Record]", events: Events
) -> None:
    await RelayUnderTest(pool, events).register(4 * TERM)
    assert await established.share() == SHARDS


async def test_a_relay_whose_registration_expired_is_on_probation_again(
    established: RelayUnderTest, pool: "asyncpg.Pool[asyncpg.Record]", events: Events
) -> None:
    other = await RelayUnderTest(pool, events).register(2 * TERM)
    assert await other.share() == SHARDS / 2
    await events.execute("UPDATE relays SET alive_until = now() WHERE id = $1", other.id)
    await other.leases.renew([])
    assert (await established.share(), await other.share()) == (SHARDS, None)


async def test_a_relay_in_a_crash_loop_takes_no_shard_from_a_running_relay(
    events: Events, pool: "asyncpg.Pool[asyncpg.Record]", start_relay: StartRelay
) -> None:
    running = start_relay(lease_seconds=2.0)

    async def established() -> bool:
        age = "SELECT max(alive_until - registered_at) > interval '4 seconds' FROM relays"
        return running.count("shards_owned") == SHARDS and bool(await events.fetch_value(age))

    await until(established, "the running relay is established")
    for _ in range(12):
        crashing = Leases(pool, uuid.uuid4(), 2.0, lambda: 0.0)
        await crashing.renew([])
        survey = await crashing.survey()
        assert survey.on_probation
        await asyncio.sleep(0.3)
        assert running.count("shards_owned") == SHARDS
