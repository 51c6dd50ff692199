"""Runs batches in PostgreSQL, and determines the outcome of a COMMIT whose connection was lost."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, cast
from uuid import UUID, uuid4

import asyncpg
import structlog

from command_service.exceptions import CommitOutcomeUnknown, LockTimeout, TransientFailure
from command_service.write_store.batch import Outcome, decide_batch
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.pool import Acquired, Pool
from command_service.write_store.postgres_errors import (
    CONNECTION_LOST,
    POSTGRES_ERRORS,
    TRANSIENT_ERRORS,
)

_ABANDON: Final = "INSERT INTO batches (id, abandoned) VALUES ($1, true) ON CONFLICT DO NOTHING"
_WAS_COMMITTED: Final = "SELECT NOT abandoned FROM batches WHERE id = $1"
_PAUSE_S: Final = 0.1
logger = structlog.get_logger(__name__)


class Transactions:
    """Each call of `run` is one transaction; `on_commit` receives the shards of its events."""

    def __init__(
        self,
        pool: Pool,
        partitions: int,
        new_event_id: Callable[[], str],
        on_commit: Callable[[Iterable[str]], None],
    ) -> None:
        self._pool = pool
        self._partitions = partitions
        self._new_event_id = new_event_id
        self._on_commit = on_commit

    async def run(
        self, commands: Sequence[PendingCommand], skip_locked: bool = False
    ) -> list[Outcome]:
        """The outcomes of a committed batch.

        Raises TransientFailure (LockTimeout if a lock was not available in time) or
        CommitOutcomeUnknown. With `skip_locked`, it waits for no lock. After any other
        exception, which a command of the batch caused, the batch has no effect.
        """
        batch_id = uuid4()
        try:
            acquired = await self._pool.acquire()
            try:
                connection = cast(asyncpg.Connection, acquired)
                return await self._run(connection, batch_id, commands, skip_locked)
            finally:
                await self._release(acquired)
        except asyncpg.LockNotAvailableError as error:
            raise LockTimeout("a lock was not available in time") from error
        except TRANSIENT_ERRORS as error:
            raise TransientFailure(type(error).__name__) from error
        except _CommitInterrupted as interrupted:
            deadline = max(pending.deadline for pending in commands)
            if await self.was_committed(batch_id, deadline):
                return interrupted.outcomes
            raise TransientFailure("the connection was lost during COMMIT") from interrupted

    async def _run(
        self,
        connection: asyncpg.Connection,
        batch_id: UUID,
        commands: Sequence[PendingCommand],
        skip_locked: bool,
    ) -> list[Outcome]:
        transaction = connection.transaction(isolation="read_committed")
        await transaction.start()
        try:
            batch = await decide_batch(
                connection,
                batch_id,
                commands,
                partitions=self._partitions,
                new_event_id=self._new_event_id,
                skip_locked=skip_locked,
            )
        except BaseException:
            await _roll_back(connection)
            raise
        try:
            await transaction.commit()
        except CONNECTION_LOST as error:
            _terminate(connection)
            raise _CommitInterrupted(batch.outcomes) from error
        self._on_commit(batch.shards)
        return batch.outcomes

    async def _release(self, acquired: Acquired) -> None:
        """Never raises, because that would hide the outcome of the batch."""
        try:
            await self._pool.release(acquired, timeout=1)
        except POSTGRES_ERRORS:
            _terminate(acquired)

    async def was_committed(self, batch_id: UUID, deadline: float) -> bool:
        """Whether the batch was committed. Raises CommitOutcomeUnknown at the deadline.

        Inserts the batch's row, marked as abandoned: if that succeeds, the batch can no longer be
        committed. The insert waits for a server process that still holds the original row, and the
        mark gives a retry after a lost reply the same result.
        """
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._pool.execute(_ABANDON, batch_id)
                return bool(await self._pool.fetchval(_WAS_COMMITTED, batch_id))
            except TRANSIENT_ERRORS as error:
                name = type(error).__name__
                logger.warning("commit_outcome_unknown", batch_id=str(batch_id), error=name)
                await asyncio.sleep(_PAUSE_S)
        raise CommitOutcomeUnknown


class _CommitInterrupted(Exception):
    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("the connection was lost during COMMIT")
        self.outcomes = outcomes


async def _roll_back(connection: asyncpg.Connection) -> None:
    """Closes a connection that cannot roll back, which rolls back as well."""
    try:
        await connection.execute("ROLLBACK", timeout=1)
    except POSTGRES_ERRORS:
        _terminate(connection)


def _terminate(connection: "asyncpg.Connection | Acquired") -> None:
    """Ignores a lost connection that the pool has already released."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
