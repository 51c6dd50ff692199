"""What the owner of a shard does every few seconds, besides folding: spares, sweeps and gauges."""

import asyncio
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Final

import structlog

from projector.catch_up import CatchUp
from projector.generations import new_sweep, swept_again
from projector.metrics import Metrics
from projector.ownership import Ownership
from projector.spare import SpareGone, SpareProjection
from projector.store import Store
from projector.views.registry import SHAPES
from shared.contracts.shards import split_shard
from shared.contracts.views import (
    FIRST_GENERATION,
    KEPT,
    Spare,
    decode_checkpoint,
    decode_parked,
    decode_spare,
    generation_key,
    parked_key,
    spare_key,
    sweep_key,
)
from shared.event_log import AggregateLog
from shared.logging_setup import LogThrottle

logger = structlog.get_logger(__name__)

INTERVAL_S: Final = 10.0
NOEVICTION: Final = "noeviction"
_MAX_UNKNOWN_SHAPE_S: Final = 60.0
_MAX_ROWS: Final = 250
_PAUSE_RATIO: Final = 3  # a catch-up of a spare takes at most a quarter of the time


class Upkeep:
    """Of the shards that this process owns. Two processes may do the same concurrently."""

    def __init__(
        self,
        ownership: Ownership,
        store: Store,
        log: AggregateLog,
        metrics: Metrics,
        keep_s: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        """`keep_s`: after this time, a kept generation is dropped."""
        self._ownership = ownership
        self._store = store
        self._log = log
        self._metrics = metrics
        self._keep_s = keep_s
        self._clock = clock
        self._spares: dict[str, tuple[bytes, float]] = {}
        """Shard -> the spare as last seen, and since when it has not changed."""
        self._sweeps: dict[str, bytes] = {}
        self._policy_problem: str | None = None
        self._throttle = LogThrottle(60.0, time.monotonic)

    async def run(self) -> None:
        """Until it is cancelled. Failures are logged, and retried after the interval."""
        while True:
            await self.poll()
            await asyncio.sleep(INTERVAL_S)

    async def poll(self) -> None:
        try:
            await self._check_policy()
            due: dict[str, bytes] = {}
            for shard in sorted(self._ownership.monitored()):
                sweep = await self._poll_shard(shard)
                if sweep is not None:
                    due[shard] = sweep
            if due:
                await sweep_generations(self._store, due)
        except Exception:
            self._metrics.failures.labels("upkeep").inc()
            if self._throttle.allow("upkeep"):
                logger.warning("upkeep_failed", exc_info=True)

    def policy_problem(self) -> str | None:
        """Why views may disappear from Redis, or None."""
        return self._policy_problem

    async def _check_policy(self) -> None:
        policies = {memory.policy for memory in await self._store.memory()} - {NOEVICTION, ""}
        self._policy_problem = (
            f"maxmemory-policy of Redis must be {NOEVICTION}, not {', '.join(sorted(policies))}"
            if policies
            else None
        )

    async def _poll_shard(self, shard: str) -> bytes | None:
        """Returns the shard's sweep if it is due."""
        stored, (spare_stored, sweep) = await self._store.load(
            shard, [spare_key(shard), sweep_key(shard)]
        )
        live = decode_checkpoint(stored)
        await self._observe_parked(shard, live.generation if live else FIRST_GENERATION)
        last_sweep = self._sweeps.get(shard)
        if sweep is None:
            self._sweeps.pop(shard, None)
        else:
            self._sweeps[shard] = sweep
        spare = decode_spare(spare_stored)
        self._metrics.sweep_due.labels(shard).set(sweep is not None)
        self._metrics.spare_lag.labels(shard).set(
            0
            if spare is None or live is None
            else max(live.position - spare.checkpoint.position, 0)
        )
        if live is not None:
            self._metrics.shape.labels(shard).set(live.shape)
        if spare is None or spare_stored is None or live is None:
            self._spares.pop(shard, None)
        else:
            await self._maintain(shard, spare, spare_stored, live.position)
        return sweep if sweep is not None and sweep == last_sweep else None

    async def _maintain(self, shard: str, spare: Spare, stored: bytes, position: int) -> None:
        last, since = self._spares.get(shard, (b"", 0.0))
        if last != stored:
            since = time.monotonic()
            self._spares[shard] = stored, since
            moved = last != b""
        else:
            moved = False
        if spare.state == KEPT and self._clock() - spare.since_ms / 1000 > self._keep_s:
            await drop_spare(self._store, shard, spare)
            logger.info("generation_dropped", shard=shard, reason="expired")
        elif spare.checkpoint.position < position and last and not moved:
            if spare.checkpoint.shape in SHAPES[split_shard(shard)[0]]:
                await self._catch_up(shard, spare)
            elif time.monotonic() - since > _MAX_UNKNOWN_SHAPE_S:
                await drop_spare(self._store, shard, spare)
                logger.info("generation_dropped", shard=shard, reason="unknown shape")

    async def _catch_up(self, shard: str, spare: Spare) -> None:
        shapes = SHAPES[split_shard(shard)[0]]
        name = spare.checkpoint.generation
        projection = SpareProjection(shard, name, shapes, self._store, self._metrics)
        catch_up = CatchUp(projection, self._log, _MAX_ROWS)
        try:
            stored: bytes | None = await projection.checkpoint()
            while stored is not None and shard in self._ownership.monitored():
                started = time.monotonic()
                stored = await catch_up.step(stored)
                await asyncio.sleep(_PAUSE_RATIO * (time.monotonic() - started))
        except SpareGone:
            return

    async def _observe_parked(self, shard: str, generation: str) -> None:
        _, (stored,) = await self._store.load(
            shard, [generation_key(generation, parked_key(shard))]
        )
        entries = decode_parked(stored).values()
        self._metrics.parked_events.labels(shard).set(sum(entry.events for entry in entries))
        ages = [
            self._clock() - datetime.fromisoformat(entry.since).astimezone(UTC).timestamp()
            for entry in entries
            if entry.since
        ]
        self._metrics.parked_age.labels(shard).set(max(ages, default=0.0))


async def drop_spare(store: Store, shard: str, spare: Spare) -> bool:
    """Deletes the name of the spare, so that its keys are swept. False: it has changed."""
    changes = {
        spare_key(shard): None,
        sweep_key(shard): new_sweep(spare.checkpoint.generation),
    }
    return await store.replace(shard, changes, spare.encode())


async def sweep_generations(store: Store, sweeps: Mapping[str, bytes]) -> None:
    """One sweep of each node: shard -> the value of its key `sweep`.

    It ends only after a scan that found nothing, since keys may be written until the first one.
    """
    due: dict[str, bytes] = {}
    for shard, sweep in sweeps.items():
        marked = swept_again(sweep)
        if await store.replace(shard, {sweep_key(shard): marked}, sweep):
            due[shard] = marked
    while due:
        found = await store.sweep(due)
        remaining: dict[str, bytes] = {}
        for shard, number in found.items():
            if number == 0:
                await store.replace(shard, {sweep_key(shard): None}, due[shard])
            elif number > 0:
                remaining[shard] = due[shard]
        due = remaining
