"""A connection pooler in session mode works; one in transaction mode is named at the start."""

import asyncio
import contextlib
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import pytest

from deploy.local.ports import free_ports
from shared.postgres_sessions import require_sessions
from tests.command_service.shop import add_product, create_user, order
from tests.support.database import Database
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.programs import find_program
from tests.support.services import command_service
from tests.support.waiting import until

CONFIGURATION = """\
[databases]
{database} = host={host} port={port} dbname={database}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {listen_port}
auth_type = plain
auth_file = {users}
pool_mode = {mode}
{ignore}
unix_socket_dir =
user = daemon
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tmp_path.chmod(0o755)  # the pooler runs as another user
    return tmp_path


@asynccontextmanager
async def pgbouncer(
    database_url: str, mode: str, folder: Path, ignore: str = ""
) -> AsyncIterator[str]:
    """The URL that leads through the pooler."""
    url, (port,) = urlsplit(database_url), free_ports(1)
    database = url.path.lstrip("/")
    configuration, users = folder / f"{mode}.ini", folder / "users.txt"
    users.write_text(f'"{url.username}" "{url.password}"\n')
    configuration.write_text(
        CONFIGURATION.format(
            database=database,
            host=url.hostname,
            port=url.port,
            listen_port=port,
            users=users,
            mode=mode,
            ignore=ignore,
        )
    )
    process = await asyncio.create_subprocess_exec(
        find_program("pgbouncer", "pgbouncer"), "--quiet", configuration
    )
    through = urlunsplit(url._replace(netloc=f"{url.username}:{url.password}@127.0.0.1:{port}"))
    try:

        async def listens() -> bool:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return True
            return False

        await until(listens, "the pooler listens", seconds=20)
        yield through
    finally:
        process.terminate()
        await process.wait()


@pytest.mark.parametrize("ignore", ["", "ignore_startup_parameters = extra_float_digits"])
async def test_commands_are_executed_through_a_pooler_in_session_mode(
    migrated_database: Database, identity: Identity, folder: Path, ignore: str
) -> None:
    async with (
        pgbouncer(migrated_database.command_service_url, "session", folder, ignore) as url,
        command_service(url, identity) as commands,
    ):
        customer, product = await create_user(commands), await add_product(commands, 100)
        body = order(customer, (product, 1))
        placed = await asyncio.gather(*(commands.post("/v1/orders", json=body) for _ in range(50)))
        assert {response.status_code for response in placed} == {201}


@pytest.mark.parametrize("ignore", ["", "ignore_startup_parameters = extra_float_digits"])
async def test_a_pooler_in_transaction_mode_is_named_at_the_start(
    migrated_database: Database, identity: Identity, folder: Path, ignore: str
) -> None:
    url = migrated_database.command_service_url
    async with pgbouncer(url, "transaction", folder, ignore) as through:
        service = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "command_service", "serve"),
            env={
                **os.environ,
                "DATABASE_URL": through,
                "JWKS_URL": identity.jwks_url,
                "JWT_ISSUER": ISSUER,
                "JWT_AUDIENCE": AUDIENCE,
                "PORT": "0",
            },
            stderr=asyncio.subprocess.PIPE,
        )
        _, output = await asyncio.wait_for(service.communicate(), 60)
    assert service.returncode == 1
    assert b"DATABASE_URL: leads to a connection pooler in transaction mode" in output


async def test_a_direct_connection_has_sessions(migrated_database: Database) -> None:
    await require_sessions(migrated_database.command_service_url)
