"""Sends the commands of processes whose deadlines have passed, through the ordinary executor.

PostgreSQL's clock decides what is due. A claim keeps replicas from sending the same command at the
same time; it is an optimization. That a command takes effect once follows from the aggregate's
version, which the command must find unchanged.
"""

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from command_service.commands.command import Context
from command_service.exceptions import Overloaded, Unavailable
from command_service.executor import Executor
from command_service.metrics import Metrics
from command_service.processes.process import Process
from command_service.processes.registry import PROCESSES
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.pool import Pool
from command_service.write_store.results import Rejected

MAX_CLAIMED: Final = 200
# Expiry of the claims of a killed replica; with two pauses below the permitted delay of 1 s.
_CLAIM_S: Final = 0.5
PAUSE_S: Final = 0.2
_COMMAND_TIMEOUT_S: Final = 5.0
_CLAIM: Final = """
UPDATE deadlines SET claimed_until = clock_timestamp() + make_interval(secs => $3)
WHERE (process, subject) IN (
    SELECT process, subject FROM deadlines
    WHERE due_at <= clock_timestamp() AND claimed_until <= clock_timestamp()
      AND process = ANY ($1::text[])
    ORDER BY due_at LIMIT $2 FOR UPDATE SKIP LOCKED
) RETURNING process, subject::text, version, due_at
"""
_OVERDUE: Final = """
SELECT process, count(*) AS due, extract(epoch FROM clock_timestamp() - min(due_at)) AS age
FROM deadlines WHERE due_at <= clock_timestamp() GROUP BY process
"""
logger = structlog.get_logger(__name__)


class ProcessRunner:
    """Each step sends the commands of one claim. Several replicas may run at the same time."""

    def __init__(
        self, pool: Pool, executor: Executor, metrics: Metrics, now: Callable[[], datetime]
    ) -> None:
        self._pool = pool
        self._executor = executor
        self._metrics = metrics
        self._now = now

    async def step(self) -> bool:
        """Send the commands that are due; False if fewer were due than one claim takes.

        If the process dies here, the claims expire and another replica sends the commands.
        """
        rows = await self._pool.fetch(_CLAIM, list(PROCESSES), MAX_CLAIMED, _CLAIM_S)
        await asyncio.gather(
            *(
                self._send(PROCESSES[row["process"]], row["subject"], row["version"], row["due_at"])
                for row in rows
            )
        )
        return len(rows) == MAX_CLAIMED

    async def measure(self) -> bool:
        """Export how many deadlines have passed without their command, and the oldest one's age."""
        rows = await self._pool.fetch(_OVERDUE)
        overdue = {row["process"]: (row["due"], float(row["age"])) for row in rows}
        for name in PROCESSES:
            count, age = overdue.get(name, (0, 0.0))
            self._metrics.deadlines_overdue.labels(name).set(count)
            self._metrics.deadline_overdue_age.labels(name).set(max(0.0, age))
        return False

    async def _send(self, process: Process, subject: str, version: int, due_at: datetime) -> None:
        command = self._command(process, subject, version, due_at)
        try:
            result = await self._executor.execute(command)
        except (Overloaded, Unavailable):
            outcome = "unavailable"
        except Exception as error:
            outcome = "failed"
            logger.error(
                "process_command_failed",
                process_name=process.name,
                aggregate=subject,
                error=type(error).__name__,
            )
        else:
            # Rejected: the aggregate has changed since, and its deadline with it.
            outcome = "rejected" if isinstance(result, Rejected) else "accepted"
        self._metrics.process_commands.labels(process.name, outcome).inc()

    def _command(
        self, process: Process, subject: str, version: int, due_at: datetime
    ) -> PendingCommand:
        loop = asyncio.get_running_loop()
        return PendingCommand(
            command=process.command,
            message=process.message,
            context=Context(
                id=subject,
                caller=process.actor,
                has_unrestricted_scope=True,
                # This replica's estimate of PostgreSQL's time can be slightly behind.
                at=max(self._now(), due_at),
                if_match=version,
            ),
            idempotency_key=None,
            request_hash=b"",
            traceparent=None,
            deadline=loop.time() + _COMMAND_TIMEOUT_S,
            result=loop.create_future(),
        )
