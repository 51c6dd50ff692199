"""Background jobs: anonymize orders, delete expired rows, measure the oldest unpublished event."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Final, cast

import asyncpg
import structlog

from command_service.metrics import Metrics
from command_service.write_store.erasure import anonymize_some_orders
from command_service.write_store.pool import Pool
from command_service.write_store.postgres_errors import TRANSIENT_ERRORS

_ORDERS_PER_TRANSACTION: Final = 300
_ROWS_PER_DELETION: Final = 5000
# The outcome of a COMMIT is queried within seconds.
_OLD_BATCHES = """
DELETE FROM batches WHERE id IN (
    SELECT id FROM batches WHERE started_at < now() - interval '1 hour' LIMIT $1
)
"""
_OLD_RESULTS = """
DELETE FROM answers WHERE (caller, key) IN (
    SELECT caller, key FROM answers WHERE given_at < now() - make_interval(hours => $2) LIMIT $1
)
"""
logger = structlog.get_logger(__name__)


async def anonymize_orders(
    pool: Pool, metrics: Metrics, partitions: int, new_event_id: Callable[[], str]
) -> bool:
    """Run one transaction of anonymization; False if no erasure is unfinished."""
    async with pool.acquire() as acquired:
        connection = cast(asyncpg.Connection, acquired)
        found = await anonymize_some_orders(
            connection,
            limit=_ORDERS_PER_TRANSACTION,
            at=datetime.now(UTC),
            partitions=partitions,
            new_event_id=new_event_id,
        )
    if found:
        metrics.anonymization_transactions.inc()
    return found


async def delete_expired_rows(pool: Pool, idempotency_retention_hours: int) -> bool:
    """Delete a limited number of expired rows; False if few are left."""
    batches = await pool.execute(_OLD_BATCHES, _ROWS_PER_DELETION)
    results = await pool.execute(_OLD_RESULTS, _ROWS_PER_DELETION, idempotency_retention_hours)
    return f"DELETE {_ROWS_PER_DELETION}" in (batches, results)


async def measure_oldest_unpublished(pool: Pool, metrics: Metrics) -> bool:
    """Measured here as well as in the relays, all of which may have crashed."""
    age_s = await pool.fetchval("SELECT oldest_unpublished()")
    metrics.oldest_unpublished_age.set(max(0.0, age_s))
    return False


async def run_periodically(name: str, job: Callable[[], Awaitable[bool]], pause_s: float) -> None:
    """Run the job until it returns False, pause, and start over; after errors too."""
    while True:
        try:
            while await job():
                pass
        except TRANSIENT_ERRORS as error:
            logger.warning("background_job_failed", job=name, error=type(error).__name__)
        except asyncpg.PostgresError as error:
            logger.error("background_job_failed", job=name, error=type(error).__name__)
        await asyncio.sleep(pause_s)
