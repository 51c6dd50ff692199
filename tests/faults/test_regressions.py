"""Deterministic reproductions of defects that the fault suite has found."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg

from command_service.commands import create_user
from command_service.commands.command import Context
from command_service.ids import random_id
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted
from command_service.write_store.transactions import Transactions
from deploy.local.ports import free_ports
from deploy.local.secrets import new_passwords
from shared.redis.clients import redis_client
from tests.support.database import Database
from tests.support.servers import Valkey


class InconsistentConnection(asyncpg.Connection):
    """Fails after COMMIT, like a client that was paused during it."""

    async def execute(self, query: str, *args: Any, **more: Any) -> str:
        done: str = await super().execute(query, *args, **more)
        if query == "COMMIT;":
            raise asyncpg.InternalClientError("cannot switch to state 15")
        return done


async def test_a_batch_with_an_unknown_commit_outcome_is_not_executed_twice(
    migrated_database: Database,
) -> None:
    url = migrated_database.command_service_url
    async with asyncpg.create_pool(
        url, connection_class=InconsistentConnection, min_size=0
    ) as pool:
        transactions = Transactions(pool, 12, random_id, lambda shards: None)
        (outcome,) = await transactions.run([_create_user_command()])
        assert isinstance(outcome, Accepted)
        assert await pool.fetchval("SELECT count(*) FROM users") == 1


def _create_user_command() -> PendingCommand:
    loop = asyncio.get_running_loop()
    return PendingCommand(
        command=create_user.COMMAND,
        message=create_user.CreateUser(name="Ada", email="ada@example.com"),
        context=Context(random_id(), "tester", True, datetime.now(UTC)),
        idempotency_key=None,
        request_hash=b"",
        traceparent=None,
        deadline=loop.time() + 10,
        result=loop.create_future(),
    )


async def test_idle_connections_survive_a_restart_of_redis(
    tmp_path: Path,
) -> None:
    server = Valkey(tmp_path / "redis", free_ports(1)[0], new_passwords())
    server.start()
    try:
        client = redis_client(server.url(), "test")
        await asyncio.gather(*(client.get("key") for _ in range(5)))
        await asyncio.to_thread(server.kill)
        server.start()
        replies = await asyncio.gather(*(client.get("key") for _ in range(5)))
        await client.aclose()
    finally:
        server.kill()
    assert replies == [None] * 5
