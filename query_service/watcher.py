"""The one poller of checkpoints: everybody who waits for a position waits for it here."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from query_service.positions import Positions
from query_service.reader import Values
from shared.contracts.views import Head, checkpoint_key, head_key
from shared.http.problems import Problem, unavailable
from shared.logging_setup import describe_error
from shared.redis.clients import REDIS_ERRORS

log = structlog.stdlib.get_logger(__name__)

_LOOK_S: Final = 0.25
_FIRST_PAUSE_S: Final = 0.002
_LONGEST_PAUSE_S: Final = 0.01
_GROWTH: Final = 1.1

Fetch = Callable[[Sequence[str]], Awaitable[Values]]


class _Waiter:
    __slots__ = ("needs", "woken")

    def __init__(self, needs: Mapping[str, int], woken: "asyncio.Future[None]") -> None:
        self.needs = needs
        self.woken = woken

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class Watcher:
    """Looks at every shard four times a second, and every few milliseconds at those waited for.

    `fetch` gives the values of keys, and raises what is in REDIS_ERRORS.
    """

    def __init__(
        self,
        fetch: Fetch,
        shards: Sequence[str],
        positions: Positions,
        *,
        max_waiting_reads: int,
        beat: Callable[[], None],
    ) -> None:
        self._fetch = fetch
        self._shards = list(shards)
        self._positions = positions
        self._max_waiting_reads = max_waiting_reads
        self._beat = beat
        self._waiters: set[_Waiter] = set()
        self._somebody_waits = asyncio.Event()
        self._reachable = False
        self._stopping = False
        self.heads: dict[str, Head] = {}
        """What the projector last said of the log, for each shard that it spoke of."""

    @property
    def waiting(self) -> int:
        return len(self._waiters)

    def not_ready(self) -> str | None:
        """Why reads cannot be answered, as far as Redis goes."""
        return None if self._reachable else "redis does not answer"

    async def reach(self, needs: Mapping[str, int], deadline: float) -> None:
        """Returns when it is worth reading again: each shard is there, or cannot be read at all.

        Raises 412 when the loop's time is past `deadline`, 503 when too many wait already.
        """
        if deadline <= asyncio.get_running_loop().time():
            raise behind()
        if len(self._waiters) >= self._max_waiting_reads:
            raise unavailable("too many reads wait for their events")
        if self._stopping:
            raise unavailable("the service is stopping")
        waiter = _Waiter(needs, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        self._somebody_waits.set()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter.woken
        except TimeoutError:
            raise behind() from None
        finally:
            self._waiters.discard(waiter)
        if self._stopping:
            raise unavailable("the service is stopping")

    def stop(self) -> None:
        """From now on nobody waits; who does gets 503."""
        self._stopping = True
        self._wake_all()

    async def watch(self) -> None:
        """Runs until it is cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            next_look = loop.time() + _LOOK_S
            await self._look_at_all()
            self._beat()
            await self._serve_waiters(next_look)

    async def _serve_waiters(self, until: float) -> None:
        loop = asyncio.get_running_loop()
        pause = _FIRST_PAUSE_S
        while (left := until - loop.time()) > 0:
            if self._waiters and self._reachable:
                await asyncio.sleep(min(pause, left))
                pause = min(pause * _GROWTH, _LONGEST_PAUSE_S)
                await self._look_at_awaited()
            elif await self._nobody_comes(left):
                return
            else:
                pause = _FIRST_PAUSE_S

    async def _nobody_comes(self, seconds: float) -> bool:
        self._somebody_waits.clear()
        if not self._reachable:
            await asyncio.sleep(seconds)
            return True
        try:
            async with asyncio.timeout(seconds):
                await self._somebody_waits.wait()
        except TimeoutError:
            return True
        return False

    async def _look_at_all(self) -> None:
        floors = self._positions.floors(self._shards)
        keys = [key(shard) for key in (checkpoint_key, head_key) for shard in self._shards]
        values = await self._ask(keys)
        if values is None:
            return
        checkpoints, heads = values[: len(self._shards)], values[len(self._shards) :]
        for shard, head in zip(self._shards, heads, strict=True):
            self._learn_head(shard, head)
        self._wake(floors, checkpoints)

    async def _look_at_awaited(self) -> None:
        shards = {shard for waiter in self._waiters for shard in waiter.needs}
        floors = self._positions.floors(list(shards))
        checkpoints = await self._ask([checkpoint_key(shard) for shard in floors])
        if checkpoints is not None:
            self._wake(floors, checkpoints)

    def _learn_head(self, shard: str, stored: bytes | None) -> None:
        head = decode_head(stored)
        if head is None:
            self.heads.pop(shard, None)
        else:
            self.heads[shard] = head

    def _wake(self, floors: Mapping[str, int], checkpoints: Iterable[bytes | None]) -> None:
        found = dict(zip(floors, checkpoints, strict=True))
        positions = {shard: self._position(shard, found[shard], floors[shard]) for shard in found}
        for waiter in self._waiters:
            there = [positions.get(shard, -1) for shard in waiter.needs]
            if None in there or all(
                position is not None and position >= need
                for position, need in zip(there, waiter.needs.values(), strict=True)
            ):
                waiter.wake()

    def _position(self, shard: str, stored: bytes | None, floor: int) -> int | None:
        """None where the shard cannot be read: who waits for it is told by its own next read."""
        try:
            return self._positions.check(shard, stored, floor)
        except Problem:
            return None

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            waiter.wake()

    async def _ask(self, keys: Sequence[str]) -> Values | None:
        try:
            values = await self._fetch(keys)
        except REDIS_ERRORS as error:
            if self._reachable:
                log.warning("redis does not answer", error=describe_error(error))
            self._reachable = False
            self._wake_all()
            return None
        if not self._reachable:
            log.info("redis answers")
        self._reachable = True
        return values


def behind() -> Problem:
    return Problem("projection-behind", "the view does not contain the token's events yet")


def decode_head(stored: bytes | None) -> Head | None:
    """None where there is none, or none that can be read."""
    try:
        return None if stored is None else Head.decode(stored)
    except ValueError:
        return None
