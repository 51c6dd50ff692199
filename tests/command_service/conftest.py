"""A command service of the test's own, on a real PostgreSQL."""

from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.services import command_service


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@pytest.fixture
async def commands(
    migrated_database: Database, identity: Identity
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a command service, which may do everything."""
    async with command_service(migrated_database.command_service_url, identity) as client:
        yield client
