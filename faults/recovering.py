"""Waits until everything is level again, and says how long that took."""

import asyncio
import time
from math import inf

import httpx

from faults import collecting
from faults.load import Load
from faults.world import World
from tests.support.waiting import until

_LONGER = 30.0
"""Seconds beyond the stated time that are waited, so that the table can say how much too long."""


async def until_level(world: World, load: Load, stated: float) -> float | None:
    """Seconds from now until all outcomes are known, topics complete, views level and all ready.

    None where that does not come about. The load ends.
    """
    began = time.monotonic()
    within = stated + _LONGER
    known = await load.finish(within)
    if not known:
        return None
    try:
        async with asyncio.timeout(max(began + within - time.monotonic(), 1)):
            await all_level(world)
    except TimeoutError:
        return None
    return time.monotonic() - began


async def all_level(world: World) -> None:
    """Returns once every process is ready, the views are level and the topics complete."""

    async def log_ended() -> bool:
        return await collecting.erasures_followed_up(world)

    await until(log_ended, "erased users' orders are anonymized", seconds=inf)
    wanted = await collecting.heads(world)

    async def views_level() -> bool:
        return await _ready(world) and await _views_level(world, wanted)

    async def topics_complete() -> bool:
        return await collecting.topics_complete(world, wanted)

    await until(views_level, "all processes are ready and the views level", seconds=inf)
    await until(topics_complete, "the topics are complete", seconds=inf)


async def _ready(world: World) -> bool:
    async with httpx.AsyncClient(timeout=5) as client:
        for process in world.processes.values():
            try:
                if (await client.get(f"{process.url}/readyz")).status_code != 200:
                    return False
            except httpx.TransportError:
                return False
    return True


async def _views_level(world: World, wanted: dict[str, int]) -> bool:
    headers = world.identity.headers("recovery")
    query = world.url_of("query-service")
    async with httpx.AsyncClient(timeout=5, headers=headers) as client:
        try:
            if (await client.get(f"{query}/v1/orders")).status_code != 200:
                return False
            answer = await client.get(f"{query}/v1/projections")
        except httpx.TransportError:
            return False
    if answer.status_code != 200 or answer.json()["lag"]:
        return False
    shards = {shard["shard"]: shard["position"] for shard in answer.json()["shards"]}
    return all(shards[shard] >= head for shard, head in wanted.items())
