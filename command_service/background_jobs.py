"""Background jobs: continue erasures, delete expired rows, measure the oldest unpublished event."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final, cast

import asyncpg
import structlog
from prometheus_client import Counter

from command_service.database_clock import DatabaseClock
from command_service.metrics import Metrics
from command_service.write_store.erasure import erase_step
from command_service.write_store.pool import Pool
from command_service.write_store.postgres_errors import TRANSIENT_ERRORS
from shared.cancellation import raise_if_cancelled

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


async def continue_erasure(
    pool: Pool,
    metrics: Metrics,
    clock: DatabaseClock,
    partitions: int,
    new_event_id: Callable[[], str],
) -> bool:
    """Run one transaction of an erasure; False if there is nothing to do now."""
    async with pool.acquire() as acquired:
        connection = cast(asyncpg.Connection, acquired)
        progressed = await erase_step(
            connection, at=clock.now(), partitions=partitions, new_event_id=new_event_id
        )
    if progressed:
        metrics.erasure_transactions.inc()
    return progressed


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


async def run_periodically(
    name: str,
    job: Callable[[], Awaitable[bool]],
    failures: Counter,
    *,
    pause_s: float,
    max_pause_s: float = 10.0,
) -> None:
    """Run the job until it returns False, pause, and repeat, until cancelled.

    No error of a job ends the process: it is logged and counted, and the pause grows up to
    `max_pause_s` while the job keeps failing.
    """
    failed = 0
    while True:
        try:
            while await job():
                pass
            failed = 0
        except Exception as error:
            raise_if_cancelled(error)
            failed += 1
            failures.labels(name).inc()
            if failed == 1 or not isinstance(error, TRANSIENT_ERRORS):
                logger.warning("background_job_failed", job=name, error=type(error).__name__)
        await asyncio.sleep(min(pause_s * 2 ** min(failed, 10), max(pause_s, max_pause_s)))
