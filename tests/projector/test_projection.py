"""Without faults: published events are applied to the views once, in order."""

import random

from tests.projector.harness import SHARDS, ProjectorSystem
from tests.support.waiting import until


async def test_events_are_projected(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.wait_until_caught_up()
    for _ in range(5):
        await system.add_events(40)
    await system.verify_views()
    applied = await projector.metric("events_applied_total")
    assert applied == 5 * 40 * len(SHARDS)
    assert await projector.metric("events_caught_up_total") < applied / 2


async def test_a_backlog_is_projected(system: ProjectorSystem) -> None:
    await system.add_events(3000)
    projector = system.start_projector()
    await system.verify_views(seconds=60)
    assert await projector.metric("log_divergence") == 0


async def test_a_shard_without_events_has_empty_views(system: ProjectorSystem) -> None:
    await system.add_events(5, ["orders.1"])
    system.start_projector()
    await system.verify_views()
    checkpoint = await system.checkpoint("users.0")
    assert checkpoint is not None
    assert checkpoint.encode() == b"0 -1 - 0"


async def test_duplicates_change_nothing(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = await system.add_events(100, ["products.0", "orders.2"])
    random.Random(3).shuffle(records)
    await system.publish(records[:50])
    late = await system.add_events(50, ["products.0", "orders.2"])
    await system.publish(records + late)
    await system.add_events(20, ["products.0", "orders.2"])
    await system.verify_views()


async def test_a_stop_finishes_the_batch_and_the_next_projector_continues(
    system: ProjectorSystem,
) -> None:
    first = system.start_projector()
    await first.wait_until_ready()
    await system.add_events(500)
    assert first.terminate() == 0
    await system.add_events(100)
    system.start_projector()
    await system.verify_views()


async def test_heads_contain_when_views_were_caught_up(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(10, ["users.1"])
    await system.wait_until_caught_up()

    async def polled() -> bool:
        head = await system.head("users.1")
        return head is not None and head.position == 10 and head.caught_up_at_ms == head.seen_at_ms

    await until(polled, "a head of the caught-up shard")
