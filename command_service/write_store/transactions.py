"""Runs batches against PostgreSQL until each has an outcome, through lost connections too."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import Final, cast
from uuid import UUID, uuid4

import asyncpg
import structlog

from command_service.write_store.batch import Outcome, decide_batch
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.pool import Acquired, Pool
from command_service.write_store.postgres_errors import ANY, CONNECTION_LOST, TRANSIENT_ERRORS

_ABANDON: Final = "INSERT INTO batches (id, abandoned) VALUES ($1, true) ON CONFLICT DO NOTHING"
_WAS_COMMITTED: Final = "SELECT NOT abandoned FROM batches WHERE id = $1"
_PAUSE_S: Final = 0.1
logger = structlog.get_logger(__name__)


class TransientFailure(Exception):
    """The batch has no effect, and may go through when it is tried again."""


class Unknown(Exception):
    """It could not be told in time whether the batch was committed."""


class Transactions:
    """Each call of `run` is one transaction; `committed` is told the shards of its events."""

    def __init__(
        self,
        pool: Pool,
        partitions: int,
        new_event_id: Callable[[], str],
        committed: Callable[[Iterable[str]], None],
    ) -> None:
        self._pool = pool
        self._partitions = partitions
        self._new_event_id = new_event_id
        self._committed = committed

    async def run(self, commands: Sequence[PendingCommand]) -> list[Outcome]:
        """The outcomes of a committed batch.

        Raises TransientFailure or Unknown; any other exception is about what the batch
        holds, and had no effect.
        """
        batch_id = uuid4()
        try:
            acquired = await self._pool.acquire()
            try:
                connection = cast(asyncpg.Connection, acquired)
                return await self._run(connection, batch_id, commands)
            finally:
                await self._release(acquired)
        except TRANSIENT_ERRORS as error:
            raise TransientFailure(type(error).__name__) from error
        except _CommitUnknown as unknown:
            deadline = max(pending.deadline for pending in commands)
            if await self.was_committed(batch_id, deadline):
                return unknown.outcomes
            raise TransientFailure("the connection was lost during COMMIT") from unknown

    async def _run(
        self, connection: asyncpg.Connection, batch_id: UUID, commands: Sequence[PendingCommand]
    ) -> list[Outcome]:
        transaction = connection.transaction()
        await transaction.start()
        try:
            batch = await decide_batch(
                connection,
                batch_id,
                commands,
                partitions=self._partitions,
                new_event_id=self._new_event_id,
            )
        except BaseException:
            await _roll_back(connection)
            raise
        try:
            await transaction.commit()
        except CONNECTION_LOST as error:
            _terminate(connection)
            raise _CommitUnknown(batch.outcomes) from error
        self._committed(batch.shards)
        return batch.outcomes

    async def _release(self, acquired: Acquired) -> None:
        """Never raises: that would hide what became of the batch."""
        try:
            await self._pool.release(acquired, timeout=1)
        except ANY:
            _terminate(acquired)

    async def was_committed(self, batch_id: UUID, deadline: float) -> bool:
        """Insert the batch's row again: where that succeeds it never will be committed.

        The insert waits for a server process that still holds the first row. It is marked, so
        that asking again, after an answer that was lost, gives the same answer.
        """
        while asyncio.get_running_loop().time() < deadline:
            try:
                await self._pool.execute(_ABANDON, batch_id)
                return bool(await self._pool.fetchval(_WAS_COMMITTED, batch_id))
            except TRANSIENT_ERRORS as error:
                logger.warning("commit_unknown", batch=str(batch_id), error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)
        raise Unknown


class _CommitUnknown(Exception):
    def __init__(self, outcomes: list[Outcome]) -> None:
        super().__init__("the connection was lost during COMMIT")
        self.outcomes = outcomes


async def _roll_back(connection: asyncpg.Connection) -> None:
    """A connection that cannot roll back is closed, which rolls back as well."""
    try:
        await connection.execute("ROLLBACK", timeout=1)
    except ANY:
        _terminate(connection)


def _terminate(connection: "asyncpg.Connection | Acquired") -> None:
    """Close it without a word. The pool may have taken a lost connection back already."""
    with suppress(asyncpg.InterfaceError):
        connection.terminate()
