"""Keeps this relay's fair share of the shards: renews, claims, gives back, looks for work."""

import asyncio
import time
from collections.abc import Callable
from typing import Final

import asyncpg
import structlog

from command_service.relay.cursor import Claim
from command_service.relay.lease import Lease, Leases, Survey
from command_service.relay.shard_loop import RelayContext, ShardLoop
from command_service.relay.topics import Topics
from shared.contracts.shards import all_shards
from shared.event_log import PostgresEventLog

TEND_SECONDS: Final = 1.0
_TEND_AT_MOST: Final = 15.0
_GIVE_BACK_SECONDS: Final = 10.0
_LEAVE_SECONDS: Final = 4.0
_STALE_SECONDS: Final = 60.0
_TRANSIENT_ERRORS: Final = (OSError, asyncpg.PostgresError, asyncpg.InterfaceError)
logger = structlog.get_logger(__name__)


class Relay:
    """One process's shards. `tend()` never raises for a server that is down: it tries again."""

    def __init__(
        self,
        event_log: PostgresEventLog,
        leases: Leases,
        around: RelayContext,
        topics: Topics,
        partitions: int,
        lease_seconds: float,
    ) -> None:
        self._event_log, self._leases, self._around, self._topics = (
            event_log,
            leases,
            around,
            topics,
        )
        self._wanted = frozenset(all_shards(partitions))
        self._renew_every = lease_seconds / 3
        self._renew_due = 0.0
        self._loops: dict[str, ShardLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._returning: set[asyncio.Task[None]] = set()
        self._problem: str | None = "not started"

    def wake(self, shards: list[str]) -> None:
        """These shards, or with none named any of them, may have new events."""
        for shard in shards or list(self._loops):
            if shard in self._loops:
                self._loops[shard].wake()

    async def tend(self, beat: Callable[[], None], stop: asyncio.Event) -> None:
        """Until `stop`, once a second. A relay that dies in it leaves leases that lapse."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(_TEND_AT_MOST):
                    await self._tend_once()
                self._problem = None
            except Exception as error:
                self._failed(error)
            beat()
            await _pause(stop)

    def not_ready(self) -> str | None:
        """Why this relay does not do its work now, or None."""
        if reason := self._problem or self._topics.not_ready():
            return reason
        now = time.monotonic()
        late = [
            loop.shard
            for loop in self._loops.values()
            if not loop.checked or loop.quiet(now) > _STALE_SECONDS
        ]
        return (
            f"held against Kafka not yet or not lately: {', '.join(sorted(late))}" if late else None
        )

    async def leave(self) -> None:
        """Wait for the batches in flight, give all shards back, and be counted no longer.

        A relay that is killed in it is like one that was killed before: its leases lapse.
        """
        for shard in list(self._loops):
            self._give_back(shard)
        if self._returning:
            _, late = await asyncio.wait(self._returning, timeout=_GIVE_BACK_SECONDS)
            for task in late:
                task.cancel()
        try:
            async with asyncio.timeout(_LEAVE_SECONDS):
                await self._leases.leave()
        except _TRANSIENT_ERRORS as error:
            logger.warning("left_without_saying", error=type(error).__name__)

    async def _tend_once(self) -> None:
        self._drop_ended()
        if time.monotonic() >= self._renew_due:
            await self._renew()
        survey = await self._leases.survey()
        self._demand_shards(survey)
        await self._balance(survey)
        await self._look_for_work(survey)

    def _failed(self, error: Exception) -> None:
        if self._problem is None:
            logger.warning("tending_failed", exc_info=error)
        reason = str(error) if isinstance(error, WrongShards) else type(error).__name__
        self._problem = f"PostgreSQL: {reason}"

    async def _renew(self) -> None:
        due = time.monotonic() + self._renew_every
        held = {shard: loop.lease for shard, loop in self._loops.items()}
        kept = await self._leases.renew(held.values())
        for shard in held.keys() - kept:
            self._stop(shard)
        self._renew_due = due

    def _demand_shards(self, survey: Survey) -> None:
        if survey.shards != self._wanted:
            for shard in list(self._loops):
                self._give_back(shard)
            raise WrongShards(
                f"PARTITIONS asks for {len(self._wanted)} shards, "
                f"{len(survey.shards)} were migrated"
            )

    async def _balance(self, survey: Survey) -> None:
        share = survey.share()
        for shard in sorted(self._loops)[share:]:
            self._give_back(shard)
        room = share - len(self._loops)
        if room > 0 and survey.free > 0:
            for lease in await self._leases.claim(room, self._loops):
                self._start(lease)
        self._around.metrics.owned.set(len(self._loops))
        self._around.metrics.halted.set(len(survey.halted))

    def _start(self, lease: Lease) -> None:
        loop = ShardLoop(lease, self._around)
        self._loops[loop.shard] = loop
        self._tasks[loop.shard] = asyncio.create_task(loop.run())

    def _stop(self, shard: str) -> asyncio.Task[None]:
        self._loops.pop(shard).stop()
        return self._tasks.pop(shard)

    def _drop_ended(self) -> None:
        for shard in [shard for shard, task in self._tasks.items() if task.done()]:
            self._stop(shard)

    def _give_back(self, shard: str) -> None:
        claim = self._loops[shard].lease.claim
        task = asyncio.create_task(self._release_after(self._stop(shard), claim))
        self._returning.add(task)
        task.add_done_callback(self._returning.discard)

    async def _release_after(self, publishing: asyncio.Task[None], claim: Claim) -> None:
        await asyncio.wait([publishing], timeout=_GIVE_BACK_SECONDS)
        if not publishing.done():  # a batch may still arrive: the lease is left to lapse
            publishing.cancel()
            return
        try:
            await self._leases.release(claim)
        except _TRANSIENT_ERRORS as error:
            told = {"shard": claim.shard, "error": type(error).__name__}
            logger.warning("lease_left_to_lapse", **told)

    async def _look_for_work(self, survey: Survey) -> None:
        heads = await self._event_log.heads(self._loops)
        behind = {}
        for shard, head in heads.items():
            loop = self._loops.get(shard)
            if loop is not None and head != loop.position:
                behind[shard] = loop.position
                loop.wake()
        age = await self._event_log.oldest_unpublished_age(behind)
        self._around.metrics.oldest_unpublished.set(age)


class WrongShards(Exception):
    """PARTITIONS differs from what was migrated, or nothing was migrated yet."""


async def _pause(stop: asyncio.Event) -> None:
    try:
        async with asyncio.timeout(TEND_SECONDS):
            await stop.wait()
    except TimeoutError:
        return
