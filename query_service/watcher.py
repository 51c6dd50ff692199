"""Watches the checkpoints of all shards, on behalf of every read that waits for a position."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from typing import Final

import structlog

from query_service.notifications import Notifications
from query_service.positions import Positions
from query_service.reader import Values
from shared.cancellation import raise_if_cancelled
from shared.contracts.views import Head, checkpoint_key, decode_head, head_key
from shared.http.problems import Problem, unavailable
from shared.logging_setup import describe_error
from shared.redis.clients import REDIS_ERRORS

log = structlog.stdlib.get_logger(__name__)

_POLL_INTERVAL_S: Final = 0.25
_MIN_PAUSE_S: Final = 0.002
_MAX_PAUSE_S: Final = 0.01
_PAUSE_GROWTH: Final = 1.1

_MAX_POLL_WAIT_S: Final = 0.05
"""How long a node that does not reply delays the next poll of the others."""

GroupByNode = Callable[[Sequence[str]], Awaitable[Sequence[Sequence[str]]]]
"""Shards -> those of each node. Raises one of REDIS_ERRORS."""
FetchValues = Callable[[Sequence[str]], Awaitable[Values]]
"""Keys -> their values. Raises one of REDIS_ERRORS."""


async def group_as_one_node(shards: Sequence[str]) -> Sequence[Sequence[str]]:
    return [shards]


class _Waiter:
    __slots__ = ("positions", "woken")

    def __init__(self, positions: Mapping[str, int], woken: "asyncio.Future[None]") -> None:
        self.positions = positions
        self.woken = woken

    def wake(self) -> None:
        if not self.woken.done():
            self.woken.set_result(None)


class Watcher:
    """Receives the checkpoints that are published, and polls every shard four times a second.

    Shards with waiting reads are polled every few ms while `notifications` are not active. A node
    that does not reply delays only its own shards.
    """

    def __init__(
        self,
        fetch_values: FetchValues,
        shards: Sequence[str],
        positions: Positions,
        *,
        max_waiting_reads: int,
        max_waiting_reads_per_caller: int | None = None,
        max_anonymous_waiting_reads: int | None = None,
        beat: Callable[[], None],
        group_by_node: GroupByNode = group_as_one_node,
        notifications: Notifications | None = None,
    ) -> None:
        self._fetch_values = fetch_values
        self._group_by_node = group_by_node
        self._shards = list(shards)
        self._positions = positions
        self._max_waiting_reads = max_waiting_reads
        self._max_per_caller = max_waiting_reads_per_caller
        self._max_anonymous = max_anonymous_waiting_reads
        self._waiting_by_caller: dict[str | None, int] = {}
        self._beat = beat
        self._notifications = notifications
        self._waiters: set[_Waiter] = set()
        self._last: dict[str, bytes | None] = {}
        self._listeners: set[Callable[[str], None]] = set()
        self._waiter_added = asyncio.Event()
        self._polls: set[asyncio.Task[None]] = set()
        self._polled: set[str] = set()
        """The shards whose poll is in flight."""
        self._unavailable = set(shards)
        self._stopping = False
        self.heads: dict[str, Head] = {}
        """The head of each shard for which the projector has stored one."""

    @property
    def waiting(self) -> int:
        """How many reads are waiting."""
        return len(self._waiters)

    def not_ready(self) -> str | None:
        """Why reads are impossible, or None."""
        return None if self._redis_available else "Redis is unavailable"

    @property
    def _redis_available(self) -> bool:
        return len(self._unavailable) < len(self._shards)

    def add_listener(self, listener: Callable[[str], None]) -> None:
        """Call it with each shard that may have changed, and with all if Redis is unavailable."""
        self._listeners.add(listener)
        self.need_notifications()

    def remove_listener(self, listener: Callable[[str], None]) -> None:
        self._listeners.discard(listener)

    def need_notifications(self) -> None:
        """Subscribe to the published checkpoints, or stay subscribed, for some seconds."""
        if self._notifications is not None:
            self._notifications.need()

    async def wait_for(
        self, positions: Mapping[str, int], deadline: float, caller: str | None = None
    ) -> None:
        """Wait until every shard has reached its position, or one has become unreadable.

        Raises 412 when the loop's time passes `deadline`, and 503 if too many reads are waiting: in
        total, of this caller, or of all anonymous callers (None), whose tokens may be forged.
        """
        if deadline <= asyncio.get_running_loop().time():
            raise projection_behind()
        self._check_budget(caller)
        if self._stopping:
            raise unavailable("the service is stopping")
        self.need_notifications()
        if all(self._positions.floor(s) >= required for s, required in positions.items()):
            return  # reached since it was read
        waiter = _Waiter(positions, asyncio.get_running_loop().create_future())
        self._waiters.add(waiter)
        by_caller = self._waiting_by_caller
        by_caller[caller] = by_caller.get(caller, 0) + 1
        self._waiter_added.set()
        try:
            async with asyncio.timeout_at(deadline):
                await waiter.woken
        except TimeoutError:
            raise projection_behind() from None
        finally:
            self._waiters.discard(waiter)
            by_caller[caller] -= 1
            if not by_caller[caller]:
                del by_caller[caller]
        if self._stopping:
            raise unavailable("the service is stopping")

    def _check_budget(self, caller: str | None) -> None:
        if len(self._waiters) >= self._max_waiting_reads:
            raise _too_many_waiting("waiting_reads")
        limit = self._max_anonymous if caller is None else self._max_per_caller
        if limit is not None and self._waiting_by_caller.get(caller, 0) >= limit:
            reason = "anonymous_waiting_reads" if caller is None else "waiting_reads_per_caller"
            raise _too_many_waiting(reason)

    def stop(self) -> None:
        """End all waits, and those that would follow, with 503."""
        self._stopping = True
        self._wake_all()

    async def run(self) -> None:
        """Poll until cancelled."""
        loop = asyncio.get_running_loop()
        while True:
            next_poll = loop.time() + _POLL_INTERVAL_S
            notified = self._is_notified()
            if self._waiters or self._listeners:
                self.need_notifications()
            await self._poll_all()
            raise_if_cancelled()
            self._beat()
            await self._poll_for_waiters(next_poll, notified)

    def receive(self, shard: str, checkpoint: bytes) -> None:
        """A projector has published this checkpoint."""
        self._last[shard] = checkpoint
        self._wake({shard: 0}, [checkpoint])
        self._report_change(shard)

    def _is_notified(self) -> bool:
        return self._notifications is not None and self._notifications.active

    async def _poll_for_waiters(self, until: float, notified: bool) -> None:
        """`notified`: the notifications were active before the last poll."""
        loop = asyncio.get_running_loop()
        pause = _MIN_PAUSE_S
        while (remaining := until - loop.time()) > 0:
            if self._waiters and self._redis_available and not notified:
                await asyncio.sleep(min(pause, remaining))
                pause = min(pause * _PAUSE_GROWTH, _MAX_PAUSE_S)
                notified = self._is_notified()
                await self._poll_awaited()
                raise_if_cancelled()
            elif await self._waiter_arrives(remaining):
                pause = _MIN_PAUSE_S
            else:
                return

    async def _waiter_arrives(self, timeout_s: float) -> bool:
        """Whether a read starts to wait within the timeout; always False without Redis."""
        self._waiter_added.clear()
        if not self._redis_available:
            await asyncio.sleep(timeout_s)
            return False
        try:
            async with asyncio.timeout(timeout_s):
                await self._waiter_added.wait()
        except TimeoutError:
            return False
        return True

    async def _poll_all(self) -> None:
        await self._poll(self._shards, with_heads=True)

    async def _poll_awaited(self) -> None:
        awaited = {shard for waiter in self._waiters for shard in waiter.positions}
        await self._poll(list(awaited - self._unavailable), with_heads=False)

    async def _poll(self, shards: Sequence[str], *, with_heads: bool) -> None:
        """Polls each node, except those whose last poll is still in flight."""
        idle = [shard for shard in shards if shard not in self._polled]
        try:
            groups = await self._group_by_node(idle) if idle else []
        except REDIS_ERRORS as error:
            self._set_unavailable(idle, error)
            return
        for group in groups:
            self._polled.update(group)
            self._polls.add(asyncio.create_task(self._poll_node(group, with_heads)))
        if self._polls:
            done, self._polls = await asyncio.wait(self._polls, timeout=_MAX_POLL_WAIT_S)
            for poll in done:
                poll.result()

    async def _poll_node(self, shards: Sequence[str], with_heads: bool) -> None:
        floors = self._positions.floors(list(shards))
        kinds = (checkpoint_key, head_key) if with_heads else (checkpoint_key,)
        try:
            values = await self._fetch_values([key(shard) for key in kinds for shard in shards])
        except REDIS_ERRORS as error:
            self._set_unavailable(shards, error)
            return
        finally:
            self._polled.difference_update(shards)
        self._set_available(shards)
        checkpoints, heads = values[: len(shards)], values[len(shards) :]
        for shard, head in zip(shards, heads, strict=False):
            self._update_head(shard, head)
        self._wake(floors, checkpoints)
        for shard, checkpoint in zip(shards, checkpoints, strict=True):
            if checkpoint != self._last.get(shard):
                self._last[shard] = checkpoint
                self._report_change(shard)

    def _set_available(self, shards: Iterable[str]) -> None:
        if not self._unavailable.isdisjoint(shards):
            self._unavailable.difference_update(shards)
            log.info("redis_available")

    def _set_unavailable(self, shards: Sequence[str], error: Exception) -> None:
        """Wakes the reads that wait for one of the shards: their next attempt raises 503."""
        if not self._unavailable.issuperset(shards):
            log.warning("redis_unavailable", error=describe_error(error))
        self._unavailable.update(shards)
        for waiter in self._waiters:
            if not waiter.positions.keys().isdisjoint(shards):
                waiter.wake()
        for shard in shards:
            self._report_change(shard)

    def _update_head(self, shard: str, stored: bytes | None) -> None:
        head = decode_head(stored)
        if head is None:
            self.heads.pop(shard, None)
        else:
            self.heads[shard] = head

    def _wake(self, floors: Mapping[str, int], checkpoints: Iterable[bytes | None]) -> None:
        current = {
            shard: self._position(shard, stored, floors[shard])
            for shard, stored in zip(floors, checkpoints, strict=True)
        }
        if None in current.values():
            for waiter in self._waiters:
                if any(current.get(shard, 0) is None for shard in waiter.positions):
                    waiter.wake()
        for waiter in self._waiters:
            if not current.keys().isdisjoint(waiter.positions) and all(
                self._positions.floor(shard) >= required
                for shard, required in waiter.positions.items()
            ):
                waiter.wake()

    def _report_change(self, shard: str) -> None:
        for listener in list(self._listeners):
            listener(shard)

    def _position(self, shard: str, stored: bytes | None, floor: int) -> int | None:
        """None if the shard is unreadable: the next attempt of the waiting reads raises 503."""
        try:
            return self._positions.check(shard, stored, floor)
        except Problem:
            return None

    def _wake_all(self) -> None:
        for waiter in self._waiters:
            waiter.wake()


def _too_many_waiting(reason: str) -> Problem:
    return unavailable("too many reads are waiting for their token's events", reason=reason)


def projection_behind() -> Problem:
    return Problem("projection-behind", "the view does not contain the token's events yet")
