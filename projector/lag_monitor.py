"""Polls checkpoints and heads every second, so that shards without records catch up as well."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final, Generic, TypeVar

import structlog

from projector.ownership import Ownership
from projector.shard import Observation, Shard
from projector.store import Store
from projector.views.registry import SHAPES
from shared.contracts.shards import split_shard
from shared.contracts.views import Head, decode_checkpoint
from shared.event_log import EventLog
from shared.http.health import Heartbeat
from shared.logging_setup import LogThrottle

logger = structlog.get_logger(__name__)

T = TypeVar("T")
_MAX_WAIT_S: Final = 0.3
"""How long a poll waits for Redis, and for PostgreSQL, before it continues without them."""


class LagMonitor:
    """Reports failures of Redis and PostgreSQL; neither ends the process.

    A Redis node that does not reply delays the polls of its own shards only.
    """

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
        self._checkpoint_reads: _ShardTasks[tuple[bytes | None, int]] = _ShardTasks()
        self._head_writes: _ShardTasks[None] = _ShardTasks()
        self._heads_read: asyncio.Task[dict[str, int]] | None = None
        self._throttle = LogThrottle(60.0, time.monotonic)
        self.unknown_shapes: dict[str, int] = {}
        """Shards with views of another version -> their shape, according to the last poll."""

    async def run(self, interval_s: float, heartbeat: Heartbeat) -> None:
        """Polls until it is cancelled."""
        while True:
            await self.poll()
            heartbeat.beat()
            await asyncio.sleep(interval_s)

    async def poll(self) -> None:
        """Reads the checkpoints before the heads: a head never precedes what is in Kafka."""
        monitored = self._ownership.monitored()
        # Of all shards: a process that does not know the shape of one leaves the group.
        found, failure = await self._checkpoint_reads.run(sorted(self._shards), self._read)
        self.unknown_shapes = {
            shard: checkpoint.shape
            for shard, (value, _) in found.items()
            if (checkpoint := decode_checkpoint(value)) is not None
            and checkpoint.shape not in SHAPES[split_shard(shard)[0]]
        }
        names = [
            shard
            for shard in sorted(monitored)
            if shard in found and shard not in self.unknown_shapes
        ]
        self._with_views = {shard for shard in names if found[shard][0] is not None}
        heads = await self._read_heads(names)
        now = self._now_ms()
        observed: dict[str, Head | None] = {}
        for name in names:
            observation = Observation(*found[name], self._records_pending(name))
            observed[name] = self._shards[name].poll(observation, heads.get(name), now)
        written, not_written = await self._head_writes.run(
            observed, lambda name: self._store.write_head(name, observed[name], _owner(name, now))
        )
        failure = failure or not_written
        usable = found and (written or not observed)
        self._redis_problem = None if usable else f"not reachable: {type(failure).__name__}"
        if failure is not None and self._throttle.allow("redis_unreachable"):
            logger.warning("redis_unreachable", exc_info=failure)

    def redis_problem(self) -> str | None:
        """Why Redis is not ready, or None."""
        return self._redis_problem

    def shape_problem(self) -> str | None:
        """The shards whose views this version cannot fold, or None."""
        unknown = [f"{shard} has {shape}" for shard, shape in self.unknown_shapes.items()]
        return f"unknown shape: {', '.join(unknown)}" if unknown else None

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

    async def _read(self, name: str) -> tuple[bytes | None, int]:
        """The checkpoint, and the shard's position before it was read."""
        before = self._shards[name].position
        stored, _ = await self._store.load(name, [])
        return stored, before

    async def _read_heads(self, names: list[str]) -> dict[str, int]:
        """Empty if PostgreSQL is unavailable: the views then continue with Kafka alone."""
        if self._heads_read is not None and not self._heads_read.done():
            return {}
        self._heads_read = asyncio.create_task(self._log.heads(names))
        await asyncio.wait([self._heads_read], timeout=_MAX_WAIT_S)
        if not self._heads_read.done():
            return {}
        error = self._heads_read.exception()
        if error is None:
            return self._heads_read.result()
        if self._throttle.allow("postgres_unreachable"):
            logger.warning("postgres_unreachable", exc_info=error)
        return {}


def _owner(shard: str, now_ms: int) -> bytes:
    """See `owner_key`."""
    shapes = ",".join(map(str, sorted(SHAPES[split_shard(shard)[0]])))
    return f"{now_ms} {shapes}".encode()


class _ShardTasks(Generic[T]):
    """Work for many shards, at most one task for each at a time."""

    def __init__(self) -> None:
        self._tasks: dict[str, asyncio.Future[T]] = {}

    async def run(
        self, shards: Iterable[str], work: Callable[[str], Awaitable[T]]
    ) -> tuple[dict[str, T], BaseException | None]:
        """The results by shard, and a failure if there was one.

        A task that does not end within _MAX_WAIT_S is a TimeoutError. Until it ends, the work of
        its shard is not started again; its result is then one of a later run.
        """
        for shard in shards:
            if shard not in self._tasks:
                self._tasks[shard] = asyncio.ensure_future(work(shard))
        if not self._tasks:
            return {}, None
        done, pending = await asyncio.wait(self._tasks.values(), timeout=_MAX_WAIT_S)
        failure: BaseException | None = TimeoutError() if pending else None
        results: dict[str, T] = {}
        for shard, task in list(self._tasks.items()):
            if task in done:
                del self._tasks[shard]
                error = task.exception()
                if error is None:
                    results[shard] = task.result()
                failure = error or failure
        return results, failure
