"""The straight way: what is published comes into the views, once, in order."""

import asyncio
import random

from tests.projector.harness import SHARDS, World


async def test_what_happens_is_projected(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.level()
    for _ in range(5):
        await world.happen(40)
    await world.exact()
    applied = await projector.metric("events_applied_total")
    assert applied == 5 * 40 * len(SHARDS)
    assert await projector.metric("events_caught_up_total") < applied / 2


async def test_a_backlog_is_projected(world: World) -> None:
    await world.happen(3000)
    projector = world.start()
    await world.exact(seconds=60)
    assert await projector.metric("log_divergence") == 0


async def test_a_shard_without_events_is_empty_not_missing(world: World) -> None:
    await world.happen(5, ["orders.1"])
    world.start()
    await world.exact()
    checkpoint = await world.checkpoint("users.0")
    assert checkpoint is not None
    assert checkpoint.encode() == b"0 -1 - 0"


async def test_repeats_and_zombies_batches_change_nothing(world: World) -> None:
    projector = world.start()
    await projector.ready()
    records = await world.happen(100, ["products.0", "orders.2"])
    random.Random(3).shuffle(records)
    await world.publish(records[:50])
    late = await world.happen(50, ["products.0", "orders.2"])
    await world.publish(records + late)
    await world.happen(20, ["products.0", "orders.2"])
    await world.exact()


async def test_a_stop_finishes_the_batch_and_the_next_one_goes_on(world: World) -> None:
    first = world.start()
    await first.ready()
    await world.happen(500)
    assert first.terminate() == 0
    await world.happen(100)
    world.start()
    await world.exact()


async def test_heads_say_when_views_were_level(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(10, ["users.1"])
    await world.level()
    await asyncio.sleep(1.5)
    head = await world.head("users.1")
    assert head is not None
    assert head.position == 10
    assert head.seen_at_ms - head.caught_up_at_ms < 1500
