"""Lost, late, duplicate and foreign records: the event log corrects the views of that shard."""

import asyncio
import signal
from typing import Any, cast

import orjson

from shared.contracts.views import (
    checkpoint_key,
    decode_parked,
    document_key,
    parked_key,
    prefix_key,
)
from tests.projector.harness import PARTITIONS, SHARDS, ProjectorSystem, with_data
from tests.projector.random_log import RandomLog, erased
from tests.support.waiting import until


async def test_after_flushall_the_views_have_a_target_until_they_are_caught_up(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(200)
    await system.wait_until_caught_up()
    await system.redis.flushall()
    targets = set()
    async with asyncio.timeout(30):
        while (True, 0) not in targets:
            stored = await system.checkpoint("orders.1")
            if stored is not None:
                targets.add((stored.position >= 200, stored.target))
    assert targets <= {(False, 200), (True, 0)}
    await system.verify_views()


async def test_views_without_a_checkpoint_are_started_under_a_new_name(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(100, ["products.1"])
    await system.wait_until_caught_up()
    await system.redis.zadd(prefix_key("products.1", "zzzz"), {"stale": 0})
    await system.redis.set(document_key("products.1", "stale"), b"1 1 -\n{}")
    await system.redis.delete(checkpoint_key("products.1"))
    await system.verify_views("products.1")

    async def swept() -> bool:
        return await system.redis.exists(document_key("products.1", "stale")) == 0

    await until(swept, "the keys of the lost generation deleted", seconds=40)
    await system.verify_views("products.1")


async def test_an_older_state_of_redis_is_caught_up(system: ProjectorSystem) -> None:
    """As after a restart with an append-only file that lacks the last second."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(60)
    await system.wait_until_caught_up()
    older = {key: await system.redis.dump(key) for key in await system.redis.keys("*")}
    await system.add_events(60)
    await system.wait_until_caught_up()
    projector.signal(signal.SIGSTOP)
    async with system.redis.pipeline(transaction=True) as pipeline:
        pipeline.flushall()
        for key, value in older.items():
            pipeline.restore(key, 0, value or b"")
        await pipeline.execute()
    projector.signal(signal.SIGCONT)
    await system.verify_views()


async def test_a_gap_in_kafka_is_caught_up_from_the_event_log(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = system.logs["orders.0"].take(100)
    await system.commit(records)
    await system.publish(records[:30] + records[60:])
    await system.verify_views("orders.0")
    assert await projector.metric("catch_ups_total") >= 1


async def test_events_that_are_never_published_are_read_from_the_event_log(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.commit(system.logs["users.2"].take(50))
    await system.verify_views("users.2", seconds=8)


async def test_topics_are_deleted_and_recreated(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    first = await system.add_events(50)
    await system.wait_until_caught_up()
    await system.create_topics()
    await system.publish(first)
    await system.add_events(50)
    await system.verify_views()
    await system.add_events(1)
    await system.verify_views()


async def test_an_offset_beyond_the_end_of_the_topic_is_no_obstacle(
    system: ProjectorSystem,
) -> None:
    """The topics lost their last records while no projector ran; later ones have lower offsets."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    first = await system.add_events(50)
    await system.wait_until_caught_up()
    projector.terminate()
    await system.create_topics()
    await system.publish(r for r in first if r.position <= 20)
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.publish(r for r in first if r.position > 20)
    await system.add_events(10)
    await system.verify_views()


async def test_foreign_records_are_skipped(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(20)
    claims = [
        ("ce_id", b"x"),
        ("ce_type", b"user.created"),
        ("ce_subject", b"y"),
        ("ce_time", b"z"),
    ]
    for shard in SHARDS:
        await system.put_foreign(shard, b"\xff\x00 not json", [])
        await system.put_foreign(shard, None, [("ce_position", b"21")])
        await system.put_foreign(shard, b"{}", [("ce_position", b"\xff"), ("ce_type", b"\xff")])
        await system.put_foreign(shard, b"{}", [("ce_position", None), ("x", b"\xff\xfe")])
        await system.put_foreign(shard, b"{}", [("ce_position", b"99999999999"), *claims])
        await system.put_foreign(shard, b"[" * 100_000, [("ce_position", b"21"), *claims])
    await system.add_events(20)
    await system.verify_views()


async def test_a_record_that_the_kafka_client_cannot_read_is_skipped(
    system: ProjectorSystem,
) -> None:
    """The name of its header is not UTF-8, which makes every poll of the client raise."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(20)
    await system.put_unreadable("orders.1")
    await system.add_events(200)
    await system.put_unreadable("orders.1")
    await system.add_events(20)
    await system.verify_views()
    assert (await projector.get("/readyz")).status_code == 200


async def test_a_forged_record_does_not_advance_the_checkpoint(system: ProjectorSystem) -> None:
    """Another producer can claim the next position; an unknown type must not be skipped there."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(5, ["users.0"])
    claimed = [
        ("ce_position", b"6"), ("ce_id", b"x"), ("ce_type", b"user.liked"),
        ("ce_subject", b"y"), ("ce_time", b"z"),
    ]  # fmt: skip
    await system.put_foreign("users.0", b"{}", claimed)
    await system.add_events(5, ["users.0"])
    await system.verify_views("users.0")


async def test_events_with_invalid_bytes_in_kafka_are_read_from_the_event_log(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = system.logs["orders.2"].take(40)
    await system.commit(records)
    await system.publish(
        with_data(record, b"\xff{") if record.position == 20 else record for record in records
    )
    await system.verify_views("orders.2")
    assert await projector.metric("events_parked_total") == 0


async def test_a_poison_event_is_parked_with_the_later_events_of_its_aggregate(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = system.logs["orders.1"].take(300)
    subject = next(r.subject for r in records if sum(x.subject == r.subject for x in records) > 2)
    own = [r for r in records if r.subject == subject]
    bad = orjson.dumps({"id": subject, "version": 2, "carrier": 5})
    records[own[1].position - 1] = with_data(own[1], bad)
    await system.commit(records)
    await system.publish(records)
    await system.verify_views("orders.1")
    parked = orjson.loads(await system.redis.get(parked_key("orders.1")) or b"")
    assert parked == {
        subject: [own[1].position, len(own) - 1, own[1].type, "ValidationError", own[1].time]
    }


async def test_unknown_types_in_the_event_log_are_parked(system: ProjectorSystem) -> None:
    """They are of a newer version of the command service."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    newer = RandomLog("users.1", 8, PARTITIONS, first=11)
    records = system.logs["users.1"].take(10)
    unknown = [record._replace(type="user.waved") for record in newer.take(5)]
    records += [*unknown, *RandomLog("users.1", 9, PARTITIONS, first=16).take(10)]
    await system.commit(records)
    await system.publish(records)
    await system.verify_views("users.1")
    parked = decode_parked(cast("Any", await system.redis.get(parked_key("users.1"))))
    assert {entry.reason for entry in parked.values()} == {"UnknownType"}
    assert set(parked) == {record.subject for record in unknown}


async def test_a_log_divergence_halts_only_its_shard(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(20)
    await system.wait_until_caught_up()
    await system.pool.execute("DELETE FROM log WHERE shard = 'users.1' AND position > 10")

    async def halted() -> bool:
        return await projector.metric("log_divergence") == 1

    await until(halted, "log divergence reported")
    assert "users.1" in (await projector.get("/readyz")).text
    await system.add_events(20, [shard for shard in SHARDS if shard != "users.1"])
    await system.verify_views(*(shard for shard in SHARDS if shard != "users.1"))
    found = await system.checkpoint("users.1")
    assert found is not None
    assert found.position == 20


async def test_an_event_log_with_erased_events_is_published_again(system: ProjectorSystem) -> None:
    """Erased events contain null; the views equal those of a projector that read them before."""
    records = [erased(record) for shard in SHARDS for record in system.logs[shard].take(80)]
    await system.commit(records)
    await system.publish(records)
    system.start_projector()
    await system.verify_views()
