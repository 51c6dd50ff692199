"""The relay during faults of real servers, topics and processes."""

import asyncio
import random
import shutil
import signal

import pytest

from command_service.relay.commit_listener import APPLICATION_NAME
from shared.contracts.shards import all_shards
from tests.relay.conftest import SpawnRelay, StartRelay
from tests.relay.harness import PARTITIONS, Events, Topics, consume, until_published
from tests.support.servers import Kafka, Postgres
from tests.support.waiting import until

SHARDS = all_shards(PARTITIONS)


async def test_a_relay_killed_while_publishing_leaves_every_position_in_order(
    events: Events, topics: Topics, spawn_relay: SpawnRelay
) -> None:
    chance = random.Random(5)
    for _ in range(5):
        before = await topics.size()
        relay = spawn_relay(lease_seconds=1.0)
        await events.commit(SHARDS * 100)

        async def publishing(before: int = before) -> bool:
            await events.commit(SHARDS * 20)
            return await topics.size() > before

        await until(publishing, "events are published")
        await asyncio.sleep(chance.random() * 0.1)
        relay.kill()
    spawn_relay(lease_seconds=1.0)
    await until_published(topics, events)


async def test_a_recreated_topic_is_filled_from_the_start(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 10)
    await until_published(topics, events)
    await topics.delete_and_wait("orders")
    await topics.create("orders")
    await until_published(topics, events, seconds=30)
    await events.commit(SHARDS)
    await until_published(topics, events)
    assert relay.count("shards_halted") == 0


async def test_a_topic_deleted_under_load_is_filled_from_the_start(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    start_relay()
    ended = asyncio.Event()

    async def load() -> None:
        while not ended.is_set():
            await events.commit(SHARDS * 2)

    loading = asyncio.create_task(load())
    for _ in range(3):
        await asyncio.sleep(1)
        await topics.delete("orders", "products")
    ended.set()
    await loading
    await until_published(topics, events, seconds=60)


async def test_a_deleted_topic_is_recreated_and_filled(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    start_relay()
    await events.commit(SHARDS * 10)
    await until_published(topics, events)
    await topics.delete("users")
    await until_published(topics, events, seconds=30)


async def test_foreign_records_do_not_stop_a_shard(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(["orders.3"] * 3)
    await until_published(topics, events)
    await topics.put("orders.3", b"\xff\xfe")
    await topics.put("orders.3", None)
    await topics.put("orders.3", b"{}", [("ce_position", b"\xff"), ("ce_id", b"\xff\xfe")])
    await topics.put("orders.3", b"{}", [("ce_position", b"4"), ("ce_id", b"\xff\xfe")])
    await topics.put("orders.3", b"{}", [("ce_position", b"9999"), ("ce_source", b"/elsewhere")])
    await events.commit(["orders.3"] * 3)
    await until_published(topics, events)
    assert (await events.cursor("orders.3"))["halted"] is None
    assert relay.count("shards_halted") == 0


async def test_events_removed_by_retention_are_not_published_again(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(["orders.3"] * 50)
    await until_published(topics, events)

    async def read_back() -> bool:
        return bool((await events.cursor("orders.3"))["position"] == 50)

    await until(read_back, "the cursor is at the head")
    await topics.delete_records("orders.3", 50)
    count = relay.count("reconciliations_total")

    async def reconciled_twice() -> bool:
        return relay.count("reconciliations_total") >= count + 2 * len(SHARDS)

    await until(reconciled_twice, "every shard is reconciled twice")
    await events.commit(["orders.3"])

    async def published() -> bool:
        found = (await topics.records("orders"))["orders.3"]
        return [record.position for record in found] == [51]

    await until(published, "only the new event")


async def test_a_log_divergence_halts_its_shard_durably_and_no_other(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 3)
    await until_published(topics, events)
    await relay.stop()
    await events.execute("DELETE FROM log WHERE shard = 'orders.3' AND position = 3")
    await events.commit(["orders.3"])
    relay = start_relay()

    async def halted() -> bool:
        return relay.count("shards_halted") == 1

    await until(halted, "the shard is halted")
    row = await events.cursor("orders.3")
    assert "orders.3 position 3" in row["halted"]
    assert row["owner"] is None
    assert row["halted_at"] is not None
    await events.commit(SHARDS)
    others = [shard for shard in SHARDS if shard != "orders.3"]

    async def others_published() -> bool:
        committed, found = await events.event_ids(), await topics.records()
        return all(consume(found[shard]) == committed[shard] for shard in others)

    await until(others_published, "the events of the other shards")
    assert len((await topics.records("orders"))["orders.3"]) == 3
    await topics.delete("orders")
    await events.execute("UPDATE relay_cursors SET halted = NULL, position = 0")
    await until_published(topics, events)


async def test_a_relay_resumed_after_its_lease_expired_changes_nothing(
    events: Events, topics: Topics, start_relay: StartRelay, spawn_relay: SpawnRelay
) -> None:
    paused = spawn_relay()

    async def all_owned() -> bool:
        return None not in (await events.owners()).values()

    await until(all_owned, "the first relay owns all")
    for _ in range(10):
        await events.commit(SHARDS * 20)
    paused.signal(signal.SIGSTOP)
    other = start_relay()

    async def acquired() -> bool:
        return other.count("shards_owned") == len(SHARDS)

    await until(acquired, "all shards are acquired")
    await events.commit(SHARDS * 5)
    paused.signal(signal.SIGCONT)
    await events.commit(SHARDS * 5)
    await until_published(topics, events)

    async def shared() -> bool:
        return other.count("shards_owned") == len(SHARDS) / 2

    await until(shared, "an equal share")
    assert other.count("shards_halted") == 0


@pytest.mark.parametrize("how", ["killed", "stopped", "paused"])
async def test_kafka_unavailable_and_restarted(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay, how: str
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await until_published(topics, events)
    {"killed": kafka.kill, "stopped": kafka.stop, "paused": kafka.pause}[how]()
    try:
        for _ in range(10):
            await events.commit(SHARDS)
            await asyncio.sleep(0.3)

        async def not_ready() -> bool:
            return "Kafka" in (relay.not_ready() or "")

        await until(not_ready, "not ready", seconds=60)
    finally:
        kafka.resume() if how == "paused" else kafka.start()
    await until_published(topics, events, seconds=60)
    await relay.until_ready()


@pytest.mark.parametrize("how", ["killed", "paused"])
async def test_postgres_unavailable_and_restarted(
    events: Events, topics: Topics, postgres: Postgres, start_relay: StartRelay, how: str
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await until_published(topics, events)
    {"killed": postgres.kill, "paused": postgres.pause}[how]()
    try:

        async def not_ready() -> bool:
            return "PostgreSQL" in (relay.not_ready() or "")

        await until(not_ready, "not ready", seconds=30)
        await asyncio.sleep(2.5)  # longer than the lease
    finally:
        postgres.resume() if how == "paused" else postgres.start()
    await relay.until_ready()
    if how == "killed":
        await events.connect()
    await events.commit(SHARDS * 5)
    await until_published(topics, events)


async def test_records_of_a_lost_tail_are_published_again(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay
) -> None:
    """Kafka is killed before it wrote its last records to disk."""
    start_relay()
    for _ in range(5):
        await events.commit(["orders.3", "orders.4", "users.1"] * 5)
        await until_published(topics, events)

    async def read_back() -> bool:
        return bool((await events.cursor("orders.3"))["position"] == 25)

    await until(read_back, "the cursor is at the head")
    kafka.kill()
    for shard in ("orders-3", "orders-4"):
        (segment,) = (kafka.data_dir / "logs" / shard).glob("*.log")
        with segment.open("r+b") as file:
            file.truncate(segment.stat().st_size // 2)
    await events.commit(["orders.3"])
    kafka.start()
    await until_published(topics, events, seconds=60)
    kept = (await topics.records("orders"))["orders.4"]
    assert kept[0].offset == 0, "the first records survived"


async def test_a_kafka_that_lost_its_data_is_filled_from_the_start(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await until_published(topics, events)
    kafka.kill()
    shutil.rmtree(kafka.data_dir / "logs")
    kafka.start()
    await until_published(topics, events, seconds=60)
    await relay.until_ready()


async def test_sigterm_ends_a_relay_whose_servers_do_not_respond(
    events: Events, topics: Topics, kafka: Kafka, postgres: Postgres, spawn_relay: SpawnRelay
) -> None:
    relay = spawn_relay()
    await events.commit(SHARDS)
    await until_published(topics, events)
    await events.commit(SHARDS)
    kafka.pause()
    postgres.pause()
    try:
        await asyncio.sleep(1)
        async with asyncio.timeout(45):
            assert await asyncio.to_thread(relay.terminate) == 0
    finally:
        kafka.resume()
        postgres.resume()
    spawn_relay()
    await until_published(topics, events)


async def test_a_relay_started_before_its_servers_awaits_them(
    events: Events, topics: Topics, kafka: Kafka, postgres: Postgres, start_relay: StartRelay
) -> None:
    await events.commit(SHARDS)
    kafka.stop()
    postgres.stop()
    relay = start_relay()

    async def postgres_is_named() -> bool:
        return "PostgreSQL" in (relay.not_ready() or "")

    await until(postgres_is_named, "not ready for PostgreSQL")
    postgres.start()

    async def kafka_is_named() -> bool:
        return "Kafka" in (relay.not_ready() or "")

    await until(kafka_is_named, "not ready for Kafka")
    kafka.start()
    await relay.until_ready(seconds=60)
    await events.connect()
    await until_published(topics, events)


async def test_a_lost_listener_connection_is_replaced(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await relay.until_ready()
    listeners = "SELECT array_agg(pid) FROM pg_stat_activity WHERE application_name = $1"
    lost = await events.fetch_value(listeners, APPLICATION_NAME)
    await events.execute("SELECT pg_terminate_backend(unnest($1::int[]))", lost)

    async def replaced() -> bool:
        return await events.fetch_value(listeners, APPLICATION_NAME) not in (None, lost)

    await until(replaced, "a new listener", seconds=10)
    assert relay.count("background_job_failures_total", job="listen") == 1
    assert relay.not_ready() is None
    await events.commit(SHARDS)
    await until_published(topics, events)
