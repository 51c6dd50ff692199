"""Events that nobody publishes are seen where they were written, without any relay."""

from pathlib import Path

import httpx

from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service
from tests.support.waiting import until

_NAME = "tandem_oldest_unpublished_age_seconds "


async def _age(commands: httpx.AsyncClient) -> float:
    lines = (await commands.get("/metrics")).text.splitlines()
    (age,) = [float(line.removeprefix(_NAME)) for line in lines if line.startswith(_NAME)]
    return age


async def test_the_oldest_events_age_grows_while_no_relay_is_alive(
    migrated_database: Database, tmp_path: Path
) -> None:
    url, identity = migrated_database.command_service_url, Identity(tmp_path)
    async with command_service(url, identity) as commands:
        assert await _age(commands) == 0
        body = {"name": "Ada", "email": "ada@example.com"}
        assert (await commands.post("/v1/users", json=body)).status_code == 201

        async def seen() -> bool:
            return await _age(commands) > 0

        await until(seen, "the event's age is seen")
        first = await _age(commands)

        async def older() -> bool:
            return await _age(commands) > first

        await until(older, "it grows")
