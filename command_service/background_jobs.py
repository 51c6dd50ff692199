"""What the command service does on the side: it follows up erasures and drops what has expired."""

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
_ROWS_PER_SWEEP: Final = 5000
# A batch's row answers an ambiguous COMMIT, which is asked about for seconds at the most.
_OLD_BATCHES = """
DELETE FROM batches WHERE id IN (
    SELECT id FROM batches WHERE started_at < now() - interval '1 hour' LIMIT $1
)
"""
_OLD_ANSWERS = """
DELETE FROM answers WHERE (caller, key) IN (
    SELECT caller, key FROM answers WHERE given_at < now() - make_interval(hours => $2) LIMIT $1
)
"""
logger = structlog.get_logger(__name__)


async def anonymize_orders(
    pool: Pool, metrics: Metrics, partitions: int, new_event_id: Callable[[], str]
) -> bool:
    """One step of following up erasures; False where there is nothing to do."""
    async with pool.acquire() as acquired:
        connection = cast(asyncpg.Connection, acquired)
        found = await anonymize_some_orders(
            connection,
            most=_ORDERS_PER_TRANSACTION,
            at=datetime.now(UTC),
            partitions=partitions,
            new_event_id=new_event_id,
        )
    if found:
        metrics.anonymizing_steps.inc()
    return found


async def sweep(pool: Pool, idempotency_retention_hours: int) -> bool:
    """Drop some of what has expired; False where little is left."""
    batches = await pool.execute(_OLD_BATCHES, _ROWS_PER_SWEEP)
    answers = await pool.execute(_OLD_ANSWERS, _ROWS_PER_SWEEP, idempotency_retention_hours)
    return f"DELETE {_ROWS_PER_SWEEP}" in (batches, answers)


async def look_for_unpublished(pool: Pool, metrics: Metrics) -> bool:
    """Measures what the relays have not published; they may all be dead."""
    age = await pool.fetchval("SELECT oldest_unpublished()")
    metrics.oldest_unpublished.set(max(0.0, age))
    return False


async def repeat(name: str, step: Callable[[], Awaitable[bool]], pause_s: float) -> None:
    """Call the step until it finds nothing, pause, and again; through failures, until cancelled."""
    while True:
        try:
            while await step():
                pass
        except TRANSIENT_ERRORS as error:
            logger.warning("housekeeping_failed", job=name, error=type(error).__name__)
        except asyncpg.PostgresError as error:
            logger.error("housekeeping_failed", job=name, error=type(error).__name__)
        await asyncio.sleep(pause_s)
