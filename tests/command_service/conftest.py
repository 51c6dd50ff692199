"""A command service with its own database, on a real PostgreSQL."""

import secrets
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from deploy.local.roles import create_roles
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.servers import Postgres
from tests.support.services import command_service


@pytest.fixture
def identity(tmp_path: Path) -> Identity:
    return Identity(tmp_path)


@pytest.fixture
async def commands(
    migrated_database: Database, identity: Identity
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a command service, with every scope."""
    async with command_service(migrated_database.command_service_url, identity) as client:
        yield client


@pytest.fixture
async def empty_database(postgres: Postgres, passwords: dict[str, str]) -> Database:
    """A database with roles, but without tables."""
    name = f"tandem_{secrets.token_hex(6)}"
    await create_roles(postgres.url(database=name), passwords)
    return Database.of(postgres, name)
