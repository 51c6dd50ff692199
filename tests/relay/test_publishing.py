"""What the relay does while all is well, on real servers."""

import asyncio

from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType

from shared.contracts.shards import TOPICS, all_shards
from tests.relay.conftest import SpawnRelay, StartRelay
from tests.relay.harness import PARTITIONS, Events, Topics, complete, take_in_order
from tests.support.waiting import until

SHARDS = all_shards(PARTITIONS)


async def test_every_committed_event_reaches_its_partition_in_order(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    await events.commit(SHARDS * 20, notify=False)
    relay = start_relay()
    await relay.ready()
    for _ in range(20):
        await events.commit(SHARDS * 5)
    await complete(topics, events)
    found = await topics.records()
    for shard, records in found.items():
        assert [r.position for r in records] == list(range(1, 121)), shard
        assert all(r.record and r.key == r.record.subject.encode() for r in records)


async def test_an_event_is_there_soon_after_its_notification_and_without_one_too(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay(reconcile_interval_seconds=30)
    await relay.ready()
    for notify, within in ((True, 0.5), (False, 3.0)):
        before = relay.count("published_events_total", topic="orders")

        async def published(before: float = before) -> bool:
            return relay.count("published_events_total", topic="orders") > before

        await events.commit(["orders.3"], notify=notify)
        await until(published, "published", seconds=within)
    await complete(topics, events)


async def test_topics_are_made_as_promised(topics: Topics, start_relay: StartRelay) -> None:
    relay = start_relay(retention_ms=3_600_000)
    await relay.ready()
    partitions, configs = await _described(topics)
    assert partitions == dict.fromkeys(TOPICS, 12)
    assert configs["products"]["retention.ms"] == "-1"
    for topic in ("users", "orders"):
        assert configs[topic]["retention.ms"] == "3600000"
        assert int(configs[topic]["segment.ms"]) <= 3_600_000
    assert {c["message.timestamp.type"] for c in configs.values()} == {"LogAppendTime"}


async def test_topics_have_the_replicas_and_the_least_in_sync_that_are_asked_for(
    topics: Topics, start_relay: StartRelay
) -> None:
    relay = start_relay(replication_factor=1, min_insync_replicas=2)
    await relay.ready()
    _, configs = await _described(topics)
    assert {c["min.insync.replicas"] for c in configs.values()} == {"2"}


async def _described(topics: Topics) -> tuple[dict[str, int], dict[str, dict[str, str]]]:
    """How many partitions each topic has, and how it is configured."""
    admin = topics._kafka.admin("test")
    await admin.start()
    try:
        described = await admin.describe_topics(list(TOPICS))
        resources = [ConfigResource(ConfigResourceType.TOPIC, topic) for topic in TOPICS]
        (answer,) = await admin.describe_configs(resources)
    finally:
        await admin.close()
    return (
        {topic["topic"]: len(topic["partitions"]) for topic in described},
        {r[3]: {c[0]: c[1] for c in r[4]} for r in answer.resources},
    )


async def test_a_topic_with_another_number_of_partitions_is_left_alone_and_named(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    await topics.create("orders", 5)
    await events.commit(["orders.3", "users.3"])
    relay = start_relay()

    async def named() -> bool:
        return "orders has 5 partitions" in (relay.not_ready() or "")

    await until(named, "the topic is named")

    async def users_go_on() -> bool:
        return relay.count("published_events_total", topic="users") == 1

    await until(users_go_on, "users are published")
    assert relay.count("published_events_total", topic="orders") == 0
    await topics.delete_and_wait("orders")
    await complete(topics, events)
    await relay.ready()


async def test_two_relays_share_the_shards_and_one_that_ends_gives_its_own_back(
    events: Events, topics: Topics, start_relay: StartRelay
) -> None:
    first = start_relay()
    await first.ready()
    second = start_relay()

    async def owned(relay_counts: tuple[int, int]) -> bool:
        return (first.count("shards_owned"), second.count("shards_owned")) == relay_counts

    await until(lambda: owned((18, 18)), "an even share", seconds=10)
    await events.commit(SHARDS * 5)
    await complete(topics, events)
    await second.stop()
    await until(lambda: owned((36, 18)), "all shards", seconds=4)
    await events.commit(SHARDS * 5)
    await complete(topics, events)


async def test_a_relay_that_is_killed_is_replaced_after_its_lease(
    events: Events, topics: Topics, start_relay: StartRelay, spawn_relay: SpawnRelay
) -> None:
    doomed = spawn_relay()

    async def all_owned() -> bool:
        return None not in (await events.owners()).values()

    await until(all_owned, "the first relay owns all")
    other = start_relay()

    async def owns(count: int) -> bool:
        return other.count("shards_owned") == count

    await until(lambda: owns(18), "an even share")
    doomed.kill()
    await events.commit(SHARDS)
    await until(lambda: owns(36), "all shards", seconds=10)
    await complete(topics, events)


async def test_a_relay_stopped_by_sigterm_finishes_and_gives_everything_back(
    events: Events, topics: Topics, spawn_relay: SpawnRelay
) -> None:
    relay = spawn_relay()
    await events.commit(SHARDS * 50)

    async def some_there() -> bool:
        return any((await topics.records("orders")).values()) if await topics.names() else False

    await until(some_there, "publishing")
    assert await asyncio.to_thread(relay.terminate) == 0
    assert set((await events.owners()).values()) == {None}
    for records in (await topics.records()).values():
        assert take_in_order(records) == [r.record.event_id for r in records if r.record]
    spawn_relay()
    await complete(topics, events)
