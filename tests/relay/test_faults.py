"""What the relay does while things break, on real servers."""

import asyncio
import random
import shutil
import signal

import pytest

from shared.contracts.shards import all_shards
from tests.relay.conftest import SpawnRelay, StartRelay
from tests.relay.harness import PARTITIONS, Events, InProcess, Topics, complete, take_in_order
from tests.support.servers import Kafka, Postgres
from tests.support.waiting import until

SHARDS = all_shards(PARTITIONS)


async def caught_up(relay: InProcess) -> None:
    """Nothing waits, as the relay sees it."""

    async def level() -> bool:
        return relay.not_ready() is None and relay.count("oldest_unpublished_age_seconds") == 0

    await until(level, "the relay is level")


async def test_killed_while_it_publishes_it_leaves_every_position_in_order(
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

        await until(publishing, "it publishes")
        await asyncio.sleep(chance.random() * 0.1)
        relay.kill()
    spawn_relay(lease_seconds=1.0)
    await complete(topics, events)


async def test_a_topic_deleted_and_made_again_is_filled_from_the_start(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 10)
    await complete(topics, events)
    await topics.delete_and_wait("orders")
    await topics.create("orders")
    await complete(topics, events, seconds=30)
    await events.commit(SHARDS)
    await complete(topics, events)
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
    await complete(topics, events, seconds=60)


async def test_a_topic_deleted_and_never_made_again_comes_back_filled(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    start_relay()
    await events.commit(SHARDS * 10)
    await complete(topics, events)
    await topics.delete("users")
    await complete(topics, events, seconds=30)


async def test_records_of_others_stop_nothing(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(["orders.3"] * 3)
    await complete(topics, events)
    await topics.put("orders.3", b"\xff\xfe")
    await topics.put("orders.3", None)
    await topics.put("orders.3", b"{}", [("ce_position", b"\xff"), ("ce_id", b"\xff\xfe")])
    await topics.put("orders.3", b"{}", [("ce_position", b"4"), ("ce_id", b"\xff\xfe")])
    await topics.put("orders.3", b"{}", [("ce_position", b"9999"), ("ce_source", b"/elsewhere")])
    await events.commit(["orders.3"] * 3)
    await complete(topics, events)
    assert (await events.cursor("orders.3"))["halted"] is None
    assert relay.count("shards_halted") == 0


async def test_what_retention_removed_is_not_sent_again(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(["orders.3"] * 50)
    await complete(topics, events)

    async def read_back() -> bool:
        return bool((await events.cursor("orders.3"))["position"] == 50)

    await until(read_back, "the cursor is at the head")
    await topics.delete_records("orders.3", 50)
    checks = relay.count("checks_total")

    async def checked_twice() -> bool:
        return relay.count("checks_total") >= checks + 2 * len(SHARDS)

    await until(checked_twice, "two more rounds of checks")
    await events.commit(["orders.3"])

    async def followed() -> bool:
        found = (await topics.records("orders"))["orders.3"]
        return [placed.position for placed in found] == [51]

    await until(followed, "only the new event")


async def test_a_fork_halts_its_shard_durably_and_no_other(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 3)
    await complete(topics, events)
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

    async def others_go_on() -> bool:
        logs, found = await events.all_logs(), await topics.records()
        return all(take_in_order(found[shard]) == logs[shard] for shard in others)

    await until(others_go_on, "the other shards")
    assert len((await topics.records("orders"))["orders.3"]) == 3
    await topics.delete("orders")
    await events.execute("UPDATE relay_cursors SET halted = NULL, position = 0")
    await complete(topics, events)


async def test_a_relay_paused_past_its_lease_does_no_harm_when_it_goes_on(
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

    async def taken_over() -> bool:
        return other.count("shards_owned") == len(SHARDS)

    await until(taken_over, "all shards taken over")
    await events.commit(SHARDS * 5)
    paused.signal(signal.SIGCONT)
    await events.commit(SHARDS * 5)
    await complete(topics, events)

    async def shared_again() -> bool:
        return other.count("shards_owned") == len(SHARDS) / 2

    await until(shared_again, "an even share")
    assert other.count("shards_halted") == 0


@pytest.mark.parametrize("how", ["killed", "stopped", "paused"])
async def test_kafka_away_and_back(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay, how: str
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await complete(topics, events)
    {"killed": kafka.kill, "stopped": kafka.stop, "paused": kafka.pause}[how]()
    try:
        for _ in range(10):
            await events.commit(SHARDS)
            await asyncio.sleep(0.3)

        async def says_so() -> bool:
            return "Kafka" in (relay.not_ready() or "")

        await until(says_so, "not ready", seconds=60)
    finally:
        kafka.resume() if how == "paused" else kafka.start()
    await complete(topics, events, seconds=60)
    await relay.ready()


@pytest.mark.parametrize("how", ["killed", "paused"])
async def test_postgres_away_and_back(
    events: Events, topics: Topics, postgres: Postgres, start_relay: StartRelay, how: str
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await complete(topics, events)
    {"killed": postgres.kill, "paused": postgres.pause}[how]()
    try:

        async def says_so() -> bool:
            return "PostgreSQL" in (relay.not_ready() or "")

        await until(says_so, "not ready", seconds=30)
        await asyncio.sleep(2.5)  # past the lease
    finally:
        postgres.resume() if how == "paused" else postgres.start()
    await relay.ready()
    if how == "killed":
        await events.connect()
    await events.commit(SHARDS * 5)
    await complete(topics, events)


async def test_the_last_records_of_a_partition_lost_are_sent_again(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay
) -> None:
    """Kafka dies before its newest records reached the disk."""
    start_relay()
    for _ in range(5):
        await events.commit(["orders.3", "orders.4", "users.1"] * 5)
        await complete(topics, events)

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
    await complete(topics, events, seconds=60)
    kept = (await topics.records("orders"))["orders.4"]
    assert kept[0].offset == 0, "the first records survived"


async def test_kafka_without_its_data_gets_everything_again(
    events: Events, topics: Topics, kafka: Kafka, start_relay: StartRelay
) -> None:
    relay = start_relay()
    await events.commit(SHARDS * 5)
    await complete(topics, events)
    kafka.kill()
    shutil.rmtree(kafka.data_dir / "logs")
    kafka.start()
    await complete(topics, events, seconds=60)
    await relay.ready()


async def test_sigterm_ends_it_soon_while_its_servers_do_not_answer(
    events: Events, topics: Topics, kafka: Kafka, postgres: Postgres, spawn_relay: SpawnRelay
) -> None:
    relay = spawn_relay()
    await events.commit(SHARDS)
    await complete(topics, events)
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
    await complete(topics, events)


async def test_a_relay_that_starts_before_its_servers_waits_for_them(
    events: Events, topics: Topics, kafka: Kafka, postgres: Postgres, start_relay: StartRelay
) -> None:
    await events.commit(SHARDS)
    kafka.stop()
    postgres.stop()
    relay = start_relay()

    async def says_why() -> bool:
        return "PostgreSQL" in (relay.not_ready() or "")

    await until(says_why, "not ready")
    postgres.start()

    async def kafka_too() -> bool:
        return "Kafka" in (relay.not_ready() or "")

    await until(kafka_too, "not ready for Kafka")
    kafka.start()
    await relay.ready(seconds=60)
    await events.connect()
    await complete(topics, events)
