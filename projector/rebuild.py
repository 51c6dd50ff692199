"""Builds a new generation of a shard's views, verifies it and cuts it over; rolls it back.

A crash may follow any step: the next run continues with the spare that it finds.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from typing import Final, NamedTuple

from projector.catch_up import CatchUp
from projector.generations import named_generations, new_generation
from projector.metrics import Metrics
from projector.projection import Projection
from projector.spare import SpareGone, SpareProjection
from projector.store import Store
from projector.upkeep import drop_spare
from projector.verification import Verification, verify
from projector.views.registry import Shapes, views_of_shape
from shared.contracts.views import (
    BUILDING,
    FIRST_GENERATION,
    KEPT,
    Checkpoint,
    Spare,
    decode_checkpoint,
    decode_spare,
    generation_order,
    owner_key,
    spare_key,
    sweep_key,
)
from shared.event_log import PostgresEventLog

MAX_ROWS: Final = 250
_MAX_MEMORY: Final = 0.85
_PAUSE_S: Final = 0.2
_OWNER_TIMEOUT_S: Final = 3.0
_OWNER_PAUSE_S: Final = 0.25
_STUCK_S: Final = 5.0


class Rejected(Exception):
    """The operation was not performed; the message is for the operator."""


class Shard(NamedTuple):
    """Live generation and spare of a shard, and all names that it contains."""

    live: Checkpoint
    spare: Spare | None
    names: list[str]


class CutOver(NamedTuple):
    """The generations live before and after it, and the position."""

    before: str
    after: str
    position: int


class Generations:
    """The operations on the generations of one shard."""

    def __init__(
        self, shard: str, shapes: Shapes, store: Store, log: PostgresEventLog, metrics: Metrics
    ) -> None:
        self.name = shard
        self._shapes = shapes
        self._store = store
        self._log = log
        self._metrics = metrics

    async def load(self) -> Shard:
        """Raises Rejected if there are no views."""
        stored, (spare, sweep) = await self._store.load(
            self.name, [spare_key(self.name), sweep_key(self.name)]
        )
        live = decode_checkpoint(stored)
        if live is None:
            raise Rejected(f"{self.name} has no views; the projector starts them")
        names = [*named_generations(stored, spare, sweep), FIRST_GENERATION]
        return Shard(live, decode_spare(spare), names)

    async def create(self, shape: int, *, again: bool) -> Spare | None:
        """The spare to build, which may be in progress. None if one is kept already."""
        views_of_shape(self.name, self._shapes, shape)
        while True:
            found = await self.load()
            spare = found.spare
            if spare is not None and spare.state == KEPT:
                if not again:
                    return None
                await drop_spare(self._store, self.name, spare)
                continue
            if spare is not None:
                return spare
            mark = secrets.token_hex(4)
            checkpoint = Checkpoint(0, -1, "", 0, new_generation(found.names), shape, mark)
            spare = Spare(BUILDING, _now_ms(), checkpoint)
            changes = {spare_key(self.name): spare.encode()}
            if await self._store.replace(self.name, {**changes}, b""):
                return spare

    async def build(self, generation: str, progress: Callable[[int, int], None]) -> bool:
        """Folds the event log into the spare until it reaches live.

        Returns False if it is live already. `progress` gets position and goal. Raises Rejected,
        LogDivergence and what the servers raise.
        """
        projection = self._projection(generation)
        catch_up = CatchUp(projection, self._log, MAX_ROWS)
        moved_at, last = time.monotonic(), -1
        steps = 0
        while True:
            found = await self.load()
            if found.live.generation == generation:
                return False
            if found.spare is None or found.spare.checkpoint.generation != generation:
                raise Rejected(f"{self.name}: another process dropped the spare {generation}")
            position = found.spare.checkpoint.position
            goal = max(found.live.position, found.live.target)
            progress(position, goal)
            if position >= goal:
                return True
            if steps % 20 == 0 and await self._memory_is_full():
                await drop_spare(self._store, self.name, found.spare)
                raise Rejected(
                    f"{self.name}: the memory of Redis is 85 % full; the spare is dropped"
                )
            steps += 1
            if found.live.position != last:
                last, moved_at = found.live.position, time.monotonic()
            head = (await self._log.heads([self.name]))[self.name]
            if head - found.live.position > MAX_ROWS and time.monotonic() - moved_at < _STUCK_S:
                await asyncio.sleep(_PAUSE_S)
                continue
            try:
                for _ in range(20):
                    if await catch_up.step(await projection.checkpoint()) is None:
                        break
            except SpareGone:
                continue

    async def verify(
        self,
        generation: str,
        *,
        sample: int | None,
        accept_parked: bool,
        progress: Callable[[int, int], None],
    ) -> Verification:
        """Raises SpareGone."""
        return await verify(
            self.name,
            generation,
            self._shapes,
            self._store,
            self._log,
            self._metrics,
            sample=sample,
            accept_parked=accept_parked,
            progress=progress,
        )

    async def cut_over(self, generation: str, *, accept_parked: bool = True) -> CutOver:
        """Makes the spare live, after it was built and verified. Raises Rejected."""
        while True:
            found = await self.load()
            before = found.live.generation
            if before == generation:
                return CutOver(before, generation, found.live.position)
            spare = found.spare
            if spare is None or spare.checkpoint.generation != generation:
                raise Rejected(f"{self.name}: another process dropped the spare {generation}")
            await self.catch_up(generation)
            if not accept_parked:
                await self._require_no_new_parked(generation)
            reply = await self._store.switch(
                self.name, before, generation, spare.state, secrets.token_hex(4), _now_ms()
            )
            if reply == "switched":
                return CutOver(before, generation, (await self.load()).live.position)

    async def catch_up(self, generation: str) -> None:
        """Folds the event log into the spare up to its head."""
        projection = self._projection(generation)
        catch_up = CatchUp(projection, self._log, MAX_ROWS)
        try:
            stored: bytes | None = await projection.checkpoint()
            while stored is not None:
                stored = await catch_up.step(stored)
        except SpareGone:
            return

    async def roll_back(self, *, forward: bool, wait: Callable[[str], None]) -> CutOver | None:
        """Makes the kept generation live. None if it is already.

        `forward`: makes the newer one live again.
        """
        found = await self.load()
        spare = found.spare
        if spare is None or spare.state != KEPT:
            raise Rejected(f"{self.name}: no generation is kept")
        name, live = spare.checkpoint.generation, found.live.generation
        if (generation_order(name) > generation_order(live)) != forward:
            return None
        views_of_shape(self.name, self._shapes, spare.checkpoint.shape)
        await self.wait_for_owner(spare.checkpoint.shape, wait)
        return await self.cut_over(name)

    async def drop(self) -> str | None:
        """Drops the spare. Returns its name, None if there is none. Raises Rejected."""
        spare = (await self.load()).spare
        if spare is None:
            return None
        if not await drop_spare(self._store, self.name, spare):
            raise Rejected(f"{self.name}: the spare has changed; repeat the command")
        return spare.checkpoint.generation

    async def wait_for_owner(self, shape: int, wait: Callable[[str], None]) -> None:
        """Returns when the shard's owner knows the shape. Calls `wait` while it does not."""
        first: bytes | None = None
        started = time.monotonic()
        while True:
            _, (value,) = await self._store.load(self.name, [owner_key(self.name)])
            shapes = value.partition(b" ")[2].split(b",") if value else []
            if first is not None and value != first and str(shape).encode() in shapes:
                return
            if first is None or time.monotonic() - started > _OWNER_TIMEOUT_S:
                if first is not None:
                    wait(f"{self.name}: no projector that knows shape {shape} folds this shard")
                first, started = value or b"", time.monotonic()
            await asyncio.sleep(_OWNER_PAUSE_S)

    def _projection(self, generation: str) -> SpareProjection:
        return SpareProjection(self.name, generation, self._shapes, self._store, self._metrics)

    async def _memory_is_full(self) -> bool:
        return any(
            memory.maximum and memory.used > _MAX_MEMORY * memory.maximum
            for memory in await self._store.memory()
        )

    async def _require_no_new_parked(self, generation: str) -> None:
        try:
            parked = await self._projection(generation).parked()
        except SpareGone:
            return
        live = await self._live_parked()
        if new := set(parked) - live:
            raise Rejected(f"{self.name}: {len(new)} parked aggregates that live does not have")

    async def _live_parked(self) -> set[str]:
        return set(await Projection(self.name, self._shapes, self._store, self._metrics).parked())


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
