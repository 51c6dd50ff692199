"""Users that are changed and erased by the same batch."""

import asyncio
from random import Random
from typing import Final

import asyncpg
import httpx

from faults.nemesis.schedule import random_intervals
from faults.system import SystemUnderTest

_USERS: Final = 20
_QUEUED_S: Final = 1.0


async def rename_and_erase(system: SystemUnderTest, random: Random, seconds: float) -> None:
    """Locks the event log while renames and erasures are sent, so that they queue for one batch."""
    caller = "unrecorded-erasures"
    async with httpx.AsyncClient(
        base_url=system.url_of("command-service"), headers=system.identity.headers(caller)
    ) as client:
        async for _ in random_intervals(random, seconds, 0.5, 2):
            mark = f"{caller}-{system.clock():.3f}"
            bodies = [
                {"name": f"{mark}-{n}", "email": f"{mark}-{n}@example.net"} for n in range(_USERS)
            ]
            created = await asyncio.gather(*(client.post("/v1/users", json=b) for b in bodies))
            users = [f"/v1/users/{response.json()['id']}" for response in created]
            system.note(f"{_USERS} users are renamed and erased")
            responses = await _send_while_locked(system, client, users)
            # A rename that is retried after a lock timeout can follow the erasure: 404.
            renamed = sum(response.status_code == 200 for response in responses[:_USERS])
            assert renamed, "no user was renamed before the erasure"
            system.note(f"{renamed} of them were renamed before the erasure")


async def _send_while_locked(
    system: SystemUnderTest, client: httpx.AsyncClient, users: list[str]
) -> list[httpx.Response]:
    connection = await asyncpg.connect(system.database.admin_url)
    try:
        async with connection.transaction():
            await connection.execute("SELECT 1 FROM shards ORDER BY name FOR UPDATE")
            body = {"name": "Renamed"}
            sent = [asyncio.create_task(client.put(f"{user}/name", json=body)) for user in users]
            await asyncio.sleep(_QUEUED_S)
            sent += [asyncio.create_task(client.delete(user)) for user in users]
            await asyncio.sleep(_QUEUED_S)
        return await asyncio.gather(*sent)
    finally:
        await connection.close()
