"""The relay on real servers without faults."""

import asyncio

from shared.contracts.shards import TOPICS, all_shards
from tests.relay.conftest import SpawnRelay, StartRelay
from tests.relay.harness import PARTITIONS, Events, Topics, consume, until_published
from tests.support.waiting import until

SHARDS = all_shards(PARTITIONS)


async def test_every_committed_event_reaches_its_partition_in_order(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    await events.commit(SHARDS * 20, notify=False)
    relay = start_relay()
    await relay.until_ready()
    for _ in range(20):
        await events.commit(SHARDS * 5)
    await until_published(topics, events)
    found = await topics.records()
    for shard, records in found.items():
        assert [r.position for r in records] == list(range(1, 121)), shard
        assert all(r.event and r.key == r.event.subject.encode() for r in records)


async def test_an_event_is_published_soon_with_and_without_a_notification(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay(reconcile_interval_seconds=30)
    await relay.until_ready()
    for notify, within in ((True, 0.5), (False, 3.0)):
        before = relay.count("events_published_total", topic="orders")

        async def published(before: float = before) -> bool:
            return relay.count("events_published_total", topic="orders") > before

        await events.commit(["orders.3"], notify=notify)
        await until(published, "published", seconds=within)
    await until_published(topics, events)


async def test_topics_are_created_with_the_documented_configuration(
    topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay(retention_ms=3_600_000)
    await relay.until_ready()
    partitions, configs = await topics.describe()
    assert partitions == dict.fromkeys(TOPICS, 12)
    assert configs["products"]["retention.ms"] == "-1"
    for topic in ("users", "orders"):
        assert configs[topic]["retention.ms"] == "3600000"
        assert int(configs[topic]["segment.ms"]) <= 3_600_000
    assert {c["message.timestamp.type"] for c in configs.values()} == {"LogAppendTime"}


async def test_topics_are_created_with_the_configured_replication(
    topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay(replication_factor=1, min_insync_replicas=2)
    await relay.until_ready()
    _, configs = await topics.describe()
    assert {c["min.insync.replicas"] for c in configs.values()} == {"2"}


async def test_a_topic_with_another_partition_count_is_unused_and_reported(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    await topics.create("orders", 5)
    await events.commit(["orders.3", "users.3"])
    relay = start_relay()

    async def reported() -> bool:
        return "orders has 5 partitions" in (relay.not_ready() or "")

    await until(reported, "the topic is reported")

    async def users_published() -> bool:
        return relay.count("events_published_total", topic="users") == 1

    await until(users_published, "users are published")
    assert relay.count("events_published_total", topic="orders") == 0
    await topics.delete_and_wait("orders")
    await until_published(topics, events)
    await relay.until_ready()


async def test_two_relays_share_the_shards_and_one_that_stops_releases_its_own(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    first = start_relay()
    await first.until_ready()
    second = start_relay()

    async def owned(counts: tuple[int, int]) -> bool:
        return (first.count("shards_owned"), second.count("shards_owned")) == counts

    await until(lambda: owned((18, 18)), "an equal share", seconds=10)
    await events.commit(SHARDS * 5)
    await until_published(topics, events)
    await second.stop()
    await until(lambda: owned((36, 18)), "all shards", seconds=4)
    await events.commit(SHARDS * 5)
    await until_published(topics, events)


async def test_the_shards_of_a_killed_relay_are_acquired_after_its_lease(
    events: Events, topics: Topics, start_relay: StartRelay, spawn_relay: SpawnRelay
) -> None:
    killed = spawn_relay()

    async def all_owned() -> bool:
        return None not in (await events.owners()).values()

    await until(all_owned, "the first relay owns all")
    other = start_relay()

    async def owns(count: int) -> bool:
        return other.count("shards_owned") == count

    await until(lambda: owns(18), "an equal share")
    killed.kill()
    await events.commit(SHARDS)
    await until(lambda: owns(36), "all shards", seconds=10)
    await until_published(topics, events)


async def test_a_relay_stopped_by_sigterm_awaits_its_batches_and_releases_all_shards(
    events: Events, topics: Topics, spawn_relay: SpawnRelay
) -> None:
    relay = spawn_relay()
    await events.commit(SHARDS * 50)

    async def publishing() -> bool:
        return any((await topics.records("orders")).values()) if await topics.names() else False

    await until(publishing, "events are published")
    assert await asyncio.to_thread(relay.terminate) == 0
    assert set((await events.owners()).values()) == {None}
    for records in (await topics.records()).values():
        assert consume(records) == [r.event.event_id for r in records if r.event]
    spawn_relay()
    await until_published(topics, events)


async def test_the_rows_of_expired_relays_are_deleted(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    for age in ("2 hours", "1 minute"):
        await events.execute(
            "INSERT INTO relays VALUES (gen_random_uuid(), clock_timestamp() - $1::text::interval)",
            age,
        )
    start_relay()

    async def deleted() -> bool:
        """Of three rows the new relay's own and the recently expired one remain."""
        return await events.fetch_value("SELECT array_agg(alive_until < now()) FROM relays") in (
            [True, False],
            [False, True],
        )

    await until(deleted, "the old row is deleted", seconds=20)
