"""What the command service reads from its database before it can execute commands."""

import asyncio
from typing import Final

import structlog

from command_service.database_clock import DatabaseClock
from command_service.exceptions import WrongPartitions
from command_service.write_store.pool import Pool
from command_service.write_store.postgres_errors import TRANSIENT_ERRORS
from shared.contracts.shards import TOPICS
from shared.http.problems import unavailable
from shared.postgres_sessions import require_sessions

_READ: Final = "SELECT request_key, (SELECT count(*) FROM shards) AS shards FROM installation"
_PAUSE_S: Final = 0.5
logger = structlog.get_logger(__name__)


class Installation:
    """Read once, with retries, because the database may start later than the service."""

    def __init__(
        self, database_url: str, pool: Pool, clock: DatabaseClock, partitions: int
    ) -> None:
        self._database_url = database_url
        self._pool = pool
        self._clock = clock
        self._partitions = partitions
        self._request_key: bytes | None = None

    async def load(self) -> None:
        """Retry until the database is available. Raises WrongPartitions and TransactionPooling."""
        while self._request_key is None:
            try:
                await require_sessions(self._database_url)
                await self._clock.measure(self._pool)
                row = await self._pool.fetchrow(_READ)
            except TRANSIENT_ERRORS as error:
                logger.warning("database_not_ready", error=type(error).__name__)
                await asyncio.sleep(_PAUSE_S)
                continue
            if row is None or row["shards"] != self._partitions * len(TOPICS):
                found = 0 if row is None else row["shards"] // len(TOPICS)
                raise WrongPartitions(
                    f"PARTITIONS: is {self._partitions}, but the database has {found}"
                )
            self._request_key = row["request_key"]

    def request_key(self) -> bytes:
        """The key of request hashes. Raises 503 until it is loaded."""
        if self._request_key is None:
            raise unavailable("the service is starting")
        return self._request_key

    def not_ready(self) -> str | None:
        return "the database was not reached yet" if self._request_key is None else None
