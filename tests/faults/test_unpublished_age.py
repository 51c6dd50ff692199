"""The command service reports the age of the oldest unpublished event, even without a relay."""

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


async def test_the_age_grows_while_no_relay_runs(
    migrated_database: Database, tmp_path: Path
) -> None:
    url, identity = migrated_database.command_service_url, Identity(tmp_path)
    async with command_service(url, identity) as commands:
        assert await _age(commands) == 0
        body = {"name": "Ada", "email": "ada@example.com"}
        assert (await commands.post("/v1/users", json=body)).status_code == 201

        async def positive() -> bool:
            return await _age(commands) > 0

        await until(positive, "the age is positive")
        first = await _age(commands)

        async def greater() -> bool:
            return await _age(commands) > first

        await until(greater, "the age grows")
