"""Waits for the recovery after a fault, and measures its duration."""

import asyncio
import time
from math import inf

import httpx

from faults import server_data
from faults.load import Load
from faults.system import SystemUnderTest
from tests.support.waiting import until

_GRACE_S = 30.0
"""In addition to the limit, so that the table shows by how much the recovery exceeds it."""


async def wait_recovered(system: SystemUnderTest, load: Load, limit_s: float) -> float | None:
    """Seconds until all outcomes are known, the topics complete, the views caught up and all
    processes ready; None if that takes too long. Ends the load.
    """
    began = time.monotonic()
    timeout_s = limit_s + _GRACE_S
    if not await load.finish(timeout_s):
        return None
    try:
        async with asyncio.timeout(max(began + timeout_s - time.monotonic(), 1)):
            await until(
                lambda: server_data.no_deadline_is_near(system),
                "orders with a payment deadline are cancelled",
                seconds=inf,
            )
            await wait_caught_up(system)
    except TimeoutError:
        return None
    return time.monotonic() - began


async def wait_caught_up(system: SystemUnderTest) -> None:
    """Returns when every process is ready, the views are caught up and the topics complete."""

    async def erasures_finished() -> bool:
        return await server_data.erasures_finished(system)

    await until(erasures_finished, "orders of erased users are anonymized", seconds=inf)
    heads = await server_data.heads(system)

    async def caught_up() -> bool:
        return await _ready(system) and await _views_caught_up(system, heads)

    async def topics_complete() -> bool:
        return await server_data.topics_complete(system, heads)

    await until(caught_up, "all processes are ready and the views caught up", seconds=inf)
    await until(topics_complete, "the topics are complete", seconds=inf)


async def _ready(system: SystemUnderTest) -> bool:
    async with httpx.AsyncClient(timeout=5) as client:
        for process in system.processes.values():
            try:
                if (await client.get(f"{process.url}/readyz")).status_code != 200:
                    return False
            except httpx.TransportError:
                return False
    return True


async def _views_caught_up(system: SystemUnderTest, heads: dict[str, int]) -> bool:
    headers = system.identity.headers("recovery")
    query = system.url_of("query-service")
    async with httpx.AsyncClient(timeout=5, headers=headers) as client:
        try:
            if (await client.get(f"{query}/v1/orders")).status_code != 200:
                return False
            response = await client.get(f"{query}/v1/projections")
        except httpx.TransportError:
            return False
    if response.status_code != 200 or response.json()["lag"]:
        return False
    shards = {shard["shard"]: shard["position"] for shard in response.json()["shards"]}
    return all(shards[shard] >= head for shard, head in heads.items())
