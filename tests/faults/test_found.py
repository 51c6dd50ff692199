"""Defects that the faults have shown, each made to happen at will."""

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


class LosesTrack(asyncpg.Connection):
    """Like a client that was stopped while its COMMIT was under way: it cannot tell any more."""

    async def execute(self, query: str, *args: Any, **more: Any) -> str:
        done: str = await super().execute(query, *args, **more)
        if query == "COMMIT;":
            raise asyncpg.InternalClientError("cannot switch to state 15")
        return done


async def test_a_batch_whose_client_lost_track_at_commit_is_asked_about_and_not_decided_again(
    migrated_database: Database,
) -> None:
    url = migrated_database.command_service_url
    async with asyncpg.create_pool(url, connection_class=LosesTrack, min_size=0) as pool:
        transactions = Transactions(pool, 12, random_id, lambda shards: None)
        (outcome,) = await transactions.run([_creates_a_user()])
        assert isinstance(outcome, Accepted)
        assert await pool.fetchval("SELECT count(*) FROM users") == 1


def _creates_a_user() -> PendingCommand:
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


async def test_no_connection_that_was_idle_while_redis_restarted_fails_afterwards(
    tmp_path: Path,
) -> None:
    server = Valkey(tmp_path / "redis", free_ports(1)[0], new_passwords())
    server.start()
    try:
        client = redis_client(server.url(), "test")
        await asyncio.gather(*(client.get("key") for _ in range(5)))
        await asyncio.to_thread(server.kill)
        server.start()
        answers = await asyncio.gather(*(client.get("key") for _ in range(5)))
        await client.aclose()
    finally:
        server.kill()
    assert answers == [None] * 5
