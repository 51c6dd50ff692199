"""A shard against a store that fails, moves and forgets, and a log that may be away."""

import asyncio
from collections.abc import Iterable

import pytest
from prometheus_client import CollectorRegistry

from projector.metrics import Metrics
from projector.shard import Arrival, Observation, Shard
from projector.views.registry import VIEWS
from shared.contracts.records import Record
from shared.contracts.views import Checkpoint
from tests.projector.memory_store import MemoryStore
from tests.projector.random_log import RandomLog
from tests.support.expected_views import differences, expected_content

SHARD = "products.2"


class MemoryLog:
    """The log as a list; `away` makes it raise."""

    def __init__(self, records: list[Record]) -> None:
        self.records = records
        self.away = False

    async def read(self, shard: str, first: int, limit: int) -> list[Record]:
        await self._answer()
        return self.records[first - 1 : first - 1 + limit]

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        await self._answer()
        return dict.fromkeys(shards, len(self.records))

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        await self._answer()
        return {p: self.records[p - 1].event_id for p in positions if p <= len(self.records)}

    async def _answer(self) -> None:
        await asyncio.sleep(0)
        if self.away:
            raise ConnectionRefusedError


class Around:
    """A shard with everything around it."""

    def __init__(self, count: int = 100) -> None:
        self.records = RandomLog(SHARD, 4).take(count)
        self.store = MemoryStore()
        self.log = MemoryLog(list(self.records))
        self.rewound: list[int] = []
        self.shard = self.another()

    def another(self) -> Shard:
        metrics = Metrics(CollectorRegistry())
        return Shard(
            SHARD,
            VIEWS["products"],
            self.store,
            self.log,
            metrics,
            lambda _, offset: self.rewound.append(offset),
            asyncio.Semaphore(1),
        )

    def given(self, first: int, last: int) -> list[Arrival]:
        return [Arrival(r.position + 1000, r) for r in self.records[first - 1 : last]]

    async def settled(self) -> None:
        for _ in range(2000):
            await asyncio.sleep(0)

    async def begun(self) -> None:
        """From an empty log's checkpoint, as a projector leaves it before the first event."""
        self.store.stored[SHARD] = b"0 -1 - 0"

    @property
    def checkpoint(self) -> Checkpoint:
        return Checkpoint.decode(self.store.stored[SHARD])

    def check(self, upto: int) -> None:
        assert self.checkpoint.position == upto
        expected = expected_content(SHARD, self.records[:upto])
        assert differences(expected, self.store.content(SHARD)) == []


async def test_what_follows_is_taken_and_its_offset_kept() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 60))
    await around.shard.take(around.given(40, 100))
    around.check(100)
    assert around.checkpoint.offset == 1100


async def test_a_gap_is_filled_from_the_log() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 20))
    await around.shard.take(around.given(50, 60))
    await around.settled()
    around.check(100)
    assert around.checkpoint.offset == 1020


async def test_two_projectors_on_one_shard_count_once() -> None:
    around = Around()
    await around.begun()
    zombie = around.another()
    await asyncio.gather(
        *(shard.take(around.given(1, 100)) for shard in (around.shard, zombie)),
    )
    around.check(100)


async def test_a_store_that_fails_raises_and_loses_nothing() -> None:
    around = Around()
    await around.begun()
    for failures in (1, 2, 1):
        around.store.failing = failures
        with pytest.raises(ConnectionError):
            await around.shard.take(around.given(1, 100))
        around.store.failing = 0
    await around.shard.take(around.given(1, 100))
    around.check(100)


async def test_a_missing_checkpoint_is_begun_from_the_log_with_a_target() -> None:
    around = Around()
    around.store.content(SHARD).values["{products.2}:document:stale"] = b"x"
    around.log.away = True
    await around.shard.take(around.given(100, 100))
    await around.settled()
    assert SHARD not in around.store.stored
    around.log.away = False
    around.shard.heal("checkpoint")
    await around.settled()
    around.check(100)
    assert around.checkpoint.target == 0


async def test_a_checkpoint_that_moved_back_is_told_before_it_is_healed() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 40))
    older = around.store.stored[SHARD], around.store.contents[SHARD]
    around.store.contents[SHARD] = expected_content(SHARD, around.records[:40])
    await around.shard.take(around.given(41, 90))
    around.store.stored[SHARD], around.store.contents[SHARD] = older
    around.store.contents[SHARD] = expected_content(SHARD, around.records[:40])
    around.log.away = True
    around.shard.look(Observation(older[0], 90, waiting=False), None, 0)
    await around.settled()
    assert (around.checkpoint.position, around.checkpoint.target) == (40, 90)
    assert around.rewound == [1041]
    await around.shard.take(around.given(41, 60))
    around.check(60)
    assert around.checkpoint.target == 90
    await around.shard.take(around.given(61, 100))
    around.check(100)
    assert around.checkpoint.target == 0


async def test_without_the_log_a_gap_is_read_again_from_kafka() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 20))
    around.log.away = True
    await around.shard.take(around.given(30, 40))
    await around.settled()
    assert around.rewound == [1021]
    await around.shard.take(around.given(21, 40))
    around.check(40)


async def test_a_log_that_lost_its_tail_is_a_fork_until_it_is_back() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 50))
    around.log.records = around.records[:30]
    stored = around.store.stored[SHARD]
    around.shard.look(Observation(stored, 50, waiting=False), 30, 0)
    await around.settled()
    assert around.shard.forked
    await around.shard.take(around.given(51, 60))
    around.check(50)
    around.log.records = around.records
    around.shard.look(Observation(stored, 50, waiting=False), 100, 0)
    await around.settled()
    assert not around.shard.forked
    around.check(100)


async def test_another_event_at_the_checkpoint_is_a_fork() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 50))
    around.log.records = RandomLog(SHARD, 5).take(100)
    around.shard.heal("behind")
    await around.settled()
    assert around.shard.forked


async def test_a_shard_that_stands_still_asks_the_log_at_the_second_look() -> None:
    around = Around()
    await around.begun()
    around.shard.look(Observation(b"0 -1 - 0", 0, waiting=False), 100, 0)
    await around.settled()
    assert around.checkpoint.position == 0
    around.shard.look(Observation(b"0 -1 - 0", 0, waiting=False), 100, 1000)
    await around.settled()
    around.check(100)


async def test_while_kafka_has_records_waiting_the_log_is_left_alone_for_longer() -> None:
    around = Around()
    await around.begun()
    for second in range(5):
        around.shard.look(Observation(b"0 -1 - 0", 0, waiting=True), 100, second * 1000)
        await around.settled()
    assert around.checkpoint.position == 0


async def test_the_head_says_when_views_were_last_level() -> None:
    around = Around()
    await around.begun()
    await around.shard.take(around.given(1, 100))
    stored = around.store.stored[SHARD]
    level = around.shard.look(Observation(stored, 100, waiting=False), 100, 5000)
    behind = around.shard.look(Observation(stored, 100, waiting=False), 101, 6000)
    assert level is not None
    assert behind is not None
    assert (level.caught_up_at_ms, behind.position, behind.caught_up_at_ms) == (5000, 101, 5000)
    assert around.shard.look(Observation(stored, 100, waiting=False), None, 7000) is None


async def test_released_it_heals_no_more() -> None:
    around = Around()
    await around.begun()
    await around.shard.release()
    around.shard.heal("behind")
    await around.settled()
    assert around.checkpoint.position == 0
    around.shard.own(around.store.stored[SHARD], None)
    around.shard.heal("behind")
    await around.settled()
    around.check(100)
