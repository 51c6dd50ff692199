"""Killed, stopped, rebalanced, cut off: the views end at exactly the fold of the log."""

import asyncio
import random
import signal

from tests.projector.harness import World


async def test_killed_again_and_again_while_folding(world: World) -> None:
    draw = random.Random(5)
    for _ in range(8):
        projector = world.start()
        await world.happen(150)
        await asyncio.sleep(draw.uniform(0.8, 2.0))
        projector.kill()
    world.start()
    await world.exact(seconds=60)


async def test_two_share_the_shards_and_one_takes_over(world: World) -> None:
    first, second = world.start(), world.start()
    await first.ready()
    await second.ready()
    await asyncio.sleep(8)
    assert 0 < await first.metric("shards_assigned") < 9
    await world.happen(100)
    await world.level()
    await world.happen(300)
    first.kill()
    await world.happen(100)
    await world.exact(seconds=40)
    assert await second.metric("shards_assigned") == 9


async def test_a_paused_projector_comes_back_as_a_zombie(world: World) -> None:
    first = world.start()
    await first.ready()
    await world.happen(200)
    first.signal(signal.SIGSTOP)
    world.start()
    await world.happen(200)
    await asyncio.sleep(8)
    await world.happen(50)
    first.signal(signal.SIGCONT)
    await world.happen(50)
    await world.exact(seconds=40)


async def test_projectors_come_and_go(world: World) -> None:
    world.start()
    for _ in range(5):
        projector = world.start()
        await world.happen(100)
        await projector.ready()
        await world.happen(100)
        assert projector.terminate() == 0
    await world.exact(seconds=40)


async def test_redis_that_refuses_to_write_loses_nothing(world: World) -> None:
    """Out of memory: every write fails for a while, then all is there."""
    projector = world.start()
    await projector.ready()
    await world.happen(50)
    await world.level()
    await world.redis.config_set("maxmemory", 1)
    await world.happen(100)
    await asyncio.sleep(3)
    assert (await projector.get("/livez")).status_code == 200
    assert (await projector.get("/readyz")).status_code == 503
    await world.redis.config_set("maxmemory", 0)
    await world.happen(10)
    await world.exact()


async def test_redis_paused_loses_nothing(world: World) -> None:
    projector = world.start()
    await projector.ready()
    await world.redis.client_pause(7000)
    await world.happen(100)
    await asyncio.sleep(7)
    await world.exact()
