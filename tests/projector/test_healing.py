"""What is lost, late, doubled or foreign: the log makes it right, and nobody else is held up."""

import asyncio
import signal

import orjson

from shared.contracts.views import checkpoint_key, document_key, parked_key, prefix_key
from tests.projector.harness import PARTITIONS, SHARDS, World, spoiled
from tests.projector.random_log import RandomLog, erased
from tests.support.waiting import until


async def test_flushall_heals_and_is_told_until_then(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(200)
    await world.level()
    await world.redis.flushall()
    targets = set()
    for _ in range(400):
        stored = await world.checkpoint("orders.1")
        if stored is not None:
            targets.add((stored.position >= 200, stored.target))
        await asyncio.sleep(0.005)
    assert targets <= {(False, 200), (True, 0)}
    await world.exact()


async def test_views_left_over_without_a_checkpoint_are_purged(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(100, ["products.1"])
    await world.level()
    await world.redis.zadd(prefix_key("products.1", "zzzz"), {"stale": 0})
    await world.redis.set(document_key("products.1", "stale"), b"1 1 -\n{}")
    await world.redis.delete(checkpoint_key("products.1"))
    await asyncio.sleep(0.1)
    await world.exact("products.1")


async def test_an_older_redis_heals(world: World) -> None:
    """As after a restart from an append-only file that lacks the last second."""
    projector = world.start()
    await projector.ready()
    await world.happen(60)
    await world.level()
    older = {key: await world.redis.dump(key) for key in await world.redis.keys("*")}
    await world.happen(60)
    await world.level()
    projector.signal(signal.SIGSTOP)
    async with world.redis.pipeline(transaction=True) as pipeline:
        pipeline.flushall()
        for key, value in older.items():
            pipeline.restore(key, 0, value or b"")
        await pipeline.execute()
    projector.signal(signal.SIGCONT)
    await world.exact()


async def test_a_gap_in_kafka_heals_from_the_log(world: World) -> None:
    projector = world.start()
    await projector.ready()
    records = world.logs["orders.0"].take(100)
    await world.commit(records)
    await world.publish(records[:30] + records[60:])
    await world.exact("orders.0")
    assert await projector.metric("catch_ups_total") >= 1


async def test_what_kafka_never_gives_comes_from_the_log(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.commit(world.logs["users.2"].take(50))
    await world.exact("users.2", seconds=8)


async def test_topics_deleted_and_made_again(world: World) -> None:
    projector = world.start()
    await projector.ready()
    first = await world.happen(50)
    await world.level()
    await world.make_topics()
    await world.publish(first)
    await world.happen(50)
    await world.exact()
    await world.happen(1)
    await world.exact()


async def test_an_offset_beyond_the_end_is_no_obstacle(world: World) -> None:
    """The topics lost their tail while no projector ran; what follows stands at lower offsets."""
    projector = world.start()
    await projector.ready()
    first = await world.happen(50)
    await world.level()
    projector.terminate()
    await world.make_topics()
    await world.publish(r for r in first if r.position <= 20)
    projector = world.start()
    await projector.ready()
    await world.publish(r for r in first if r.position > 20)
    await world.happen(10)
    await world.exact()


async def test_foreign_records_stop_nobody(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(20)
    claims = [
        ("ce_id", b"x"),
        ("ce_type", b"user.created"),
        ("ce_subject", b"y"),
        ("ce_time", b"z"),
    ]
    for shard in SHARDS:
        await world.put(shard, b"\xff\x00 not json", [])
        await world.put(shard, None, [("ce_position", b"21")])
        await world.put(shard, b"{}", [("ce_position", b"\xff"), ("ce_type", b"\xff")])
        await world.put(shard, b"{}", [("ce_position", None), ("x", b"\xff\xfe")])
        await world.put(shard, b"{}", [("ce_position", b"99999999999"), *claims])
        await world.put(shard, b"[" * 100_000, [("ce_position", b"21"), *claims])
    await world.happen(20)
    await world.exact()


async def test_a_record_that_kafkas_client_cannot_read_stops_nobody(world: World) -> None:
    """Its header's name is no UTF-8, which makes every poll of the client raise."""
    projector = world.start()
    await projector.ready()
    await world.happen(20)
    await world.put_unreadable("orders.1")
    await world.happen(200)
    await world.put_unreadable("orders.1")
    await world.happen(20)
    await world.exact()
    assert (await projector.get("/readyz")).status_code == 200


async def test_a_record_ahead_of_the_log_is_not_believed(world: World) -> None:
    """Whoever can write to a topic can claim the next position; unknown types must not pass it."""
    projector = world.start()
    await projector.ready()
    await world.happen(5, ["users.0"])
    claimed = [
        ("ce_position", b"6"), ("ce_id", b"x"), ("ce_type", b"user.liked"),
        ("ce_subject", b"y"), ("ce_time", b"z"),
    ]  # fmt: skip
    await world.put("users.0", b"{}", claimed)
    await world.happen(5, ["users.0"])
    await world.exact("users.0")


async def test_broken_bytes_in_kafka_are_read_from_the_log(world: World) -> None:
    projector = world.start()
    await projector.ready()
    records = world.logs["orders.2"].take(40)
    await world.commit(records)
    await world.publish(
        spoiled(record, b"\xff{") if record.position == 20 else record for record in records
    )
    await world.exact("orders.2")
    assert await projector.metric("events_parked_total") == 0


async def test_an_event_that_cannot_be_folded_is_parked_with_its_followers(world: World) -> None:
    projector = world.start()
    await projector.ready()
    records = world.logs["orders.1"].take(300)
    subject = next(r.subject for r in records if sum(x.subject == r.subject for x in records) > 2)
    own = [r for r in records if r.subject == subject]
    bad = orjson.dumps({"id": subject, "version": 2, "carrier": 5})
    records[own[1].position - 1] = spoiled(own[1], bad)
    await world.commit(records)
    await world.publish(records)
    await world.exact("orders.1")
    parked = orjson.loads(await world.redis.get(parked_key("orders.1")) or b"")
    assert parked == {subject: [own[1].position, len(own) - 1]}


async def test_unknown_types_are_passed_over(world: World) -> None:
    """They come from a newer version of the command service, and stand in the log."""
    projector = world.start()
    await projector.ready()
    newer = RandomLog("users.1", 8, PARTITIONS, first=11)
    records = world.logs["users.1"].take(10)
    records += [record._replace(type="user.waved") for record in newer.take(5)]
    records += RandomLog("users.1", 9, PARTITIONS, first=16).take(10)
    await world.commit(records)
    await world.publish(records)
    await world.exact("users.1")
    assert await projector.metric("events_parked_total") == 0


async def test_a_fork_halts_its_shard_alone(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(20)
    await world.level()
    await world.pool.execute("DELETE FROM log WHERE shard = 'users.1' AND position > 10")

    async def forked() -> bool:
        return await projector.metric("log_divergence") == 1

    await until(forked, "fork seen")
    assert "users.1" in (await projector.get("/readyz")).text
    await world.happen(20, [shard for shard in SHARDS if shard != "users.1"])
    await world.exact(*(shard for shard in SHARDS if shard != "users.1"))
    found = await world.checkpoint("users.1")
    assert found is not None
    assert found.position == 20


async def test_a_log_that_was_erased_since_is_published_again(world: World) -> None:
    """Erased events carry null; the views are the same as those of who read them in time."""
    records = [erased(record) for shard in SHARDS for record in world.logs[shard].take(80)]
    await world.commit(records)
    await world.publish(records)
    world.start()
    await world.exact()
