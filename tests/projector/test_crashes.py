"""Projectors are killed, paused and rebalanced: the views equal the fold of the event log."""

import random
import signal

from tests.projector.harness import SHARDS, Projector, ProjectorSystem
from tests.support.waiting import until


async def assigned(*projectors: Projector) -> list[int]:
    """The number of shards that each of them has."""
    return [int(await projector.metric("shards_assigned")) for projector in projectors]


async def test_kills_while_folding(system: ProjectorSystem) -> None:
    """Each projector is killed after a different number of events, the first before any."""
    draw = random.Random(5)
    for count in (0, *(draw.randrange(1, 150 * len(SHARDS)) for _ in range(5))):
        goal = await system.applied() + count
        projector = system.start_projector()
        await system.add_events(150)

        async def progressed(goal: int = goal) -> bool:
            return await system.applied() >= goal

        await until(progressed, f"{goal} events applied")
        projector.kill()
    system.start_projector()
    await system.verify_views(seconds=60)


async def test_two_projectors_share_the_shards_and_one_takes_over(system: ProjectorSystem) -> None:
    first, second = system.start_projector(), system.start_projector()
    await first.wait_until_ready()
    await second.wait_until_ready()

    async def shared() -> bool:
        counts = await assigned(first, second)
        return min(counts) > 0 and sum(counts) == len(SHARDS)

    await until(shared, "shards shared by both")
    await system.add_events(100)
    await system.wait_until_caught_up()
    await system.add_events(300)
    first.kill()
    await system.add_events(100)
    await system.verify_views(seconds=40)

    async def taken_over() -> bool:
        return await assigned(second) == [len(SHARDS)]

    await until(taken_over, "all shards taken over")


async def test_a_paused_projector_continues_after_another_took_over(
    system: ProjectorSystem,
) -> None:
    first = system.start_projector()
    await first.wait_until_ready()
    await system.add_events(200)
    first.signal(signal.SIGSTOP)
    second = system.start_projector()
    await second.wait_until_ready()
    await system.add_events(200)

    async def taken_over() -> bool:
        return await assigned(second) == [len(SHARDS)]

    await until(taken_over, "all shards taken over")
    await system.add_events(50)
    first.signal(signal.SIGCONT)
    await system.add_events(50)
    await system.verify_views(seconds=40)


async def test_projectors_join_and_leave(system: ProjectorSystem) -> None:
    system.start_projector()
    for _ in range(5):
        projector = system.start_projector()
        await system.add_events(100)
        await projector.wait_until_ready()
        await system.add_events(100)
        assert projector.terminate() == 0
    await system.verify_views(seconds=40)


async def test_redis_without_memory_rejects_writes_and_loses_nothing(
    system: ProjectorSystem,
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(50)
    await system.wait_until_caught_up()
    await system.redis.config_set("maxmemory", 1)
    await system.add_events(100)

    async def rejected() -> bool:
        failures = await projector.metric("failures_total")
        return failures > 0 and (await projector.get("/readyz")).status_code == 503

    await until(rejected, "writes rejected, projector not ready")
    assert (await projector.get("/livez")).status_code == 200
    await system.redis.config_set("maxmemory", 0)
    await system.add_events(10)
    await system.verify_views()


async def test_a_paused_redis_loses_nothing(system: ProjectorSystem) -> None:
    """The pause exceeds the projector's reply timeout, which is 5 s."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.redis.client_pause(7000)
    await system.add_events(100)

    async def timed_out() -> bool:
        return await projector.metric("failures_total") > 0

    await until(timed_out, "a request to Redis timed out")
    await system.verify_views()
