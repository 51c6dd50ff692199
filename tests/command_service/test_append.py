"""`append` is the only way to write the event log, and rejects unknown shards."""

from datetime import UTC, datetime
from uuid import uuid4

import asyncpg
import pytest

from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.support.database import Database


async def test_an_unknown_shard_is_rejected_and_no_event_of_its_batch_is_appended(
    migrated_database: Database,
) -> None:
    connection = await asyncpg.connect(migrated_database.command_service_url)
    shards = ["orders.0", f"orders.{DEFAULT_PARTITIONS}"]
    ids, nothing = [uuid4(), uuid4()], [None, None]
    with pytest.raises(asyncpg.RaiseError, match="unknown shard: PARTITIONS differs"):
        await connection.fetch(
            "SELECT * FROM append($1, $2, $3, $4, $5, $6, $7, $8)",
            shards, ids, ["test.happened"] * 2, ids, nothing, [datetime.now(UTC)] * 2,
            nothing, ["{}"] * 2,
        )  # fmt: skip
    assert await connection.fetchval("SELECT head('orders.0')") == 0
    await connection.close()
