"""The look of every second at checkpoints and the log's heads: idle shards heal too."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping

from projector.ownership import Ownership
from projector.shard import Observation, Shard
from projector.store import Store
from shared.event_log import EventLog
from shared.http.health import Heartbeat
from shared.logging_setup import LogThrottle

logger = logging.getLogger(__name__)


class LagMonitor:
    """What is wrong with Redis or PostgreSQL is known from here; neither stops the process."""

    def __init__(
        self,
        shards: Mapping[str, Shard],
        ownership: Ownership,
        store: Store,
        log: EventLog,
        waiting: Callable[[str], bool],
        now_ms: Callable[[], int],
    ) -> None:
        self._shards = shards
        self._ownership = ownership
        self._store = store
        self._log = log
        self._waiting = waiting
        self._now_ms = now_ms
        self._problems: dict[str, str] = {"redis": "not seen yet"}
        self._with_views: set[str] = set()
        self._log_throttle = LogThrottle(60.0, time.monotonic)

    async def run(self, seconds: float, heartbeat: Heartbeat) -> None:
        """Looks every `seconds`, for ever."""
        while True:
            await self.look()
            heartbeat.beat()
            await asyncio.sleep(seconds)

    async def look(self) -> None:
        """Checkpoints first, then the heads, which are never behind what was published before."""
        own = sorted(self._ownership.watched())
        before = {shard: self._shards[shard].position for shard in own}
        try:
            stored = await self._store.checkpoints(own or sorted(self._shards)[:1])
            own = [shard for shard in own if shard in stored]
            self._with_views = {shard for shard in own if stored[shard] is not None}
            heads = await self._heads(own)
            looks = {s: Observation(stored[s], before[s], self._waiting(s)) for s in own}
            now = self._now_ms()
            found = {s: self._shards[s].look(looks[s], heads.get(s), now) for s in own}
            known = {shard: head for shard, head in found.items() if head is not None}
            if known:
                await self._store.write_heads(known)
        except Exception as error:
            self._failed("redis", error)
        else:
            self._problems.pop("redis", None)

    def redis(self) -> str | None:
        """Why Redis is not ready, or None."""
        return self._problems.get("redis")

    def views(self) -> str | None:
        """How many shards have no views that could be read, or None."""
        missing = set(self._ownership.watched()) - self._with_views
        return f"{len(missing)} shards have no views yet" if missing else None

    def forks(self) -> str | None:
        """Which shards are halted, or None."""
        return ", ".join(name for name, shard in self._shards.items() if shard.forked) or None

    async def _heads(self, own: list[str]) -> dict[str, int]:
        """Nothing where PostgreSQL is away: views go on by Kafka alone."""
        try:
            heads = await self._log.heads(own)
        except Exception as error:
            self._failed("postgres", error)
            return {}
        return heads

    def _failed(self, what: str, error: Exception) -> None:
        self._problems[what] = f"not reachable: {type(error).__name__}"
        if self._log_throttle.allow(what):
            logger.warning("%s is not reachable: %s", what, type(error).__name__, exc_info=True)
