"""Polls checkpoints and heads every second, so that shards without records catch up as well."""

import asyncio
import time
from collections.abc import Callable, Mapping

import structlog

from projector.ownership import Ownership
from projector.shard import Observation, Shard
from projector.store import Store
from shared.contracts.views import Head
from shared.event_log import EventLog
from shared.http.health import Heartbeat
from shared.logging_setup import LogThrottle

logger = structlog.get_logger(__name__)


class LagMonitor:
    """Reports failures of Redis and PostgreSQL; neither ends the process."""

    def __init__(
        self,
        shards: Mapping[str, Shard],
        ownership: Ownership,
        store: Store,
        log: EventLog,
        records_pending: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        """`records_pending(shard)`: whether Kafka has records that were not delivered yet."""
        self._shards = shards
        self._ownership = ownership
        self._store = store
        self._log = log
        self._records_pending = records_pending
        self._now_ms = now_ms
        self._redis_problem: str | None = "not polled yet"
        self._with_views: set[str] = set()
        self._throttle = LogThrottle(60.0, time.monotonic)

    async def run(self, interval_s: float, heartbeat: Heartbeat) -> None:
        """Polls until it is cancelled."""
        while True:
            await self.poll()
            heartbeat.beat()
            await asyncio.sleep(interval_s)

    async def poll(self) -> None:
        """Reads the checkpoints before the heads: a head never precedes what is in Kafka."""
        names = sorted(self._ownership.monitored())
        before = {shard: self._shards[shard].position for shard in names}
        try:
            stored = await self._store.checkpoints(names or sorted(self._shards)[:1])
            names = [shard for shard in names if shard in stored]
            self._with_views = {shard for shard in names if stored[shard] is not None}
            heads = await self._read_heads(names)
            now = self._now_ms()
            observed: dict[str, Head] = {}
            for name in names:
                observation = Observation(stored[name], before[name], self._records_pending(name))
                head = self._shards[name].poll(observation, heads.get(name), now)
                if head is not None:
                    observed[name] = head
            if observed:
                await self._store.write_heads(observed)
        except Exception as error:
            self._redis_problem = f"not reachable: {type(error).__name__}"
            self._log_failure("redis_unreachable")
        else:
            self._redis_problem = None

    def redis_problem(self) -> str | None:
        """Why Redis is not ready, or None."""
        return self._redis_problem

    def missing_views(self) -> str | None:
        """How many shards have no views, or None."""
        missing = self._ownership.monitored() - self._with_views
        return f"{len(missing)} shards have no views yet" if missing else None

    def diverged_shards(self) -> str | None:
        """The shards that are halted, or None."""
        return ", ".join(name for name, shard in self._shards.items() if shard.diverged) or None

    def full_shards(self) -> str | None:
        """The shards that are halted because of too many parked aggregates, or None."""
        full = ", ".join(name for name, shard in self._shards.items() if shard.parked_full)
        return f"too many parked aggregates: {full}" if full else None

    async def _read_heads(self, names: list[str]) -> dict[str, int]:
        """Empty if PostgreSQL is unavailable: the views then continue with Kafka alone."""
        try:
            return await self._log.heads(names)
        except Exception:
            self._log_failure("postgres_unreachable")
            return {}

    def _log_failure(self, event: str) -> None:
        if self._throttle.allow(event):
            logger.warning(event, exc_info=True)
