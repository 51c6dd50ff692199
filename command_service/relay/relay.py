"""Holds this relay's fair share of the shards: acquires, renews and releases their leases."""

import asyncio
from collections.abc import Callable
from typing import Final

import structlog

from command_service.relay.errors import ShardCountMismatch
from command_service.relay.lease import FencingToken, Lease, Leases, Survey
from command_service.relay.retry import wait_until_set
from command_service.relay.shard_loop import RelayContext, ShardLoop
from command_service.relay.topics import Topics
from shared.contracts.shards import all_shards
from shared.event_log import PostgresEventLog

_TICK_INTERVAL_SECONDS: Final = 1.0
_TICK_TIMEOUT_SECONDS: Final = 15.0
_RELEASE_TIMEOUT_SECONDS: Final = 10.0
_DEREGISTER_TIMEOUT_SECONDS: Final = 4.0
_MAX_RECONCILIATION_AGE_SECONDS: Final = 60.0
logger = structlog.get_logger(__name__)


class Relay:
    """The shards of one process. `run()` outlives every failure of a server."""

    def __init__(
        self,
        event_log: PostgresEventLog,
        leases: Leases,
        context: RelayContext,
        topics: Topics,
        partitions: int,
        lease_seconds: float,
    ) -> None:
        self._event_log, self._leases, self._context = event_log, leases, context
        self._topics = topics
        self._shards = frozenset(all_shards(partitions))
        self._renew_interval = lease_seconds / 3
        self._renew_due = 0.0
        self._loops: dict[str, ShardLoop] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._releases: set[asyncio.Task[None]] = set()
        self._problem: str | None = "not started"

    def wake(self, shards: list[str]) -> None:
        """These shards (an empty list: all) may have new events."""
        for shard in shards or list(self._loops):
            if shard in self._loops:
                self._loops[shard].wake()

    async def run(self, beat: Callable[[], None], stop: asyncio.Event) -> None:
        """Tick every second until `stop`. The leases of a relay that dies in it expire."""
        while not stop.is_set():
            try:
                async with asyncio.timeout(_TICK_TIMEOUT_SECONDS):
                    await self._tick()
                self._problem = None
            except Exception as error:
                self._report(error)
            beat()
            await wait_until_set(stop, _TICK_INTERVAL_SECONDS)

    def not_ready(self) -> str | None:
        """Why this relay does not publish now, or None."""
        if reason := self._problem or self._topics.not_ready():
            return reason
        late = [
            loop.shard
            for loop in self._loops.values()
            if not loop.reconciled
            or loop.seconds_since_reconciled() > _MAX_RECONCILIATION_AGE_SECONDS
        ]
        if not late:
            return None
        limit = f"{_MAX_RECONCILIATION_AGE_SECONDS:.0f} s"
        return f"not reconciled within {limit}: {', '.join(sorted(late))}"

    async def shut_down(self) -> None:
        """Await the batches in flight, release all shards, and deregister.

        The leases of a relay that is killed in it expire.
        """
        for shard in list(self._loops):
            self._release(shard)
        if self._releases:
            _, late = await asyncio.wait(self._releases, timeout=_RELEASE_TIMEOUT_SECONDS)
            for task in late:
                task.cancel()
        try:
            async with asyncio.timeout(_DEREGISTER_TIMEOUT_SECONDS):
                await self._leases.deregister()
        except Exception as error:  # the registration expires
            logger.warning("deregistration_failed", exc_info=error)

    async def _tick(self) -> None:
        self._drop_ended_loops()
        if self._context.clock() >= self._renew_due:
            await self._renew()
        survey = await self._leases.survey()
        self._verify_shards(survey)
        await self._balance(survey)
        await self._wake_lagging_loops()

    def _report(self, error: Exception) -> None:
        if self._problem is None:
            logger.warning("relay_tick_failed", exc_info=error)
        reason = str(error) if isinstance(error, ShardCountMismatch) else type(error).__name__
        self._problem = f"PostgreSQL: {reason}"

    async def _renew(self) -> None:
        due = self._context.clock() + self._renew_interval
        leases = {shard: loop.lease for shard, loop in self._loops.items()}
        owned = await self._leases.renew(leases.values())
        for shard in leases.keys() - owned:
            self._stop(shard)
        await self._leases.delete_expired_relays()
        self._renew_due = due

    def _verify_shards(self, survey: Survey) -> None:
        if survey.shards != self._shards:
            for shard in list(self._loops):
                self._release(shard)
            raise ShardCountMismatch(
                f"PARTITIONS requires {len(self._shards)} shards, "
                f"the schema has {len(survey.shards)}"
            )

    async def _balance(self, survey: Survey) -> None:
        share = len(self._loops) if survey.on_probation else survey.fair_share()
        for shard in sorted(self._loops)[share:]:
            self._release(shard)
        missing = share - len(self._loops)
        if missing > 0 and survey.free > 0:
            for lease in await self._leases.acquire(missing, self._loops):
                self._start(lease)
        self._context.metrics.owned.set(len(self._loops))
        self._context.metrics.halted.set(len(survey.halted))

    def _start(self, lease: Lease) -> None:
        loop = ShardLoop(lease, self._context)
        self._loops[loop.shard] = loop
        self._tasks[loop.shard] = asyncio.create_task(loop.run())

    def _stop(self, shard: str) -> asyncio.Task[None]:
        self._loops.pop(shard).stop()
        return self._tasks.pop(shard)

    def _drop_ended_loops(self) -> None:
        for shard in [shard for shard, task in self._tasks.items() if task.done()]:
            task = self._stop(shard)
            if not task.cancelled() and (error := task.exception()):  # the lease expires
                self._context.metrics.failures.inc()
                logger.error("shard_loop_failed", shard=shard, exc_info=error)

    def _release(self, shard: str) -> None:
        token = self._loops[shard].lease.token
        task = asyncio.create_task(self._release_after(self._stop(shard), token))
        self._releases.add(task)
        task.add_done_callback(self._releases.discard)

    async def _release_after(self, publishing: asyncio.Task[None], token: FencingToken) -> None:
        await asyncio.wait([publishing], timeout=_RELEASE_TIMEOUT_SECONDS)
        if not publishing.done():  # a batch may still arrive: the lease must expire
            publishing.cancel()
            return
        try:
            await self._leases.release(token)
        except Exception as error:  # the lease expires
            logger.warning("lease_release_failed", shard=token.shard, exc_info=error)

    async def _wake_lagging_loops(self) -> None:
        lagging = {}
        for shard, head in (await self._event_log.heads(self._loops)).items():
            loop = self._loops.get(shard)
            if loop is not None and head != loop.position:
                lagging[shard] = loop.position
                loop.wake()
        age = await self._event_log.oldest_unpublished_age(lagging)
        self._context.metrics.oldest_unpublished_age.set(age)
