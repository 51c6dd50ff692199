"""Random walks of loop and check over faults in memory: whatever happens, the topic heals."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Sequence
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError
from prometheus_client import CollectorRegistry

from command_service.relay import shard_loop
from command_service.relay.cursor import Claim
from command_service.relay.lease import Lease
from command_service.relay.metrics import RelayMetrics
from command_service.relay.publisher import Sent
from command_service.relay.reconcile import Seen
from command_service.relay.shard_loop import RelayContext, ShardLoop
from shared.contracts.records import Record
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition, event_id

SHARD = "products.0"
STEPS = 60


class FaultyKafka:
    """A publisher whose batches arrive, fail, arrive unacknowledged, or arrive late."""

    def __init__(self, partition: FakePartition, chance: random.Random) -> None:
        self.partition, self.chance = partition, chance
        self.late: list[list[int]] = []
        self.calm = False
        self.in_flight = 0

    async def send(self, shard: str, records: Sequence[Record]) -> Sent:
        assert self.in_flight == 0, "one unacknowledged batch at a time"
        positions = [r.position for r in records[: self.chance.randint(1, 3)]]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
        self.in_flight += 1
        return Sent(len(positions), self._base(positions))

    async def _base(self, positions: list[int]) -> int:
        try:
            for _ in range(self.chance.randint(0, 3)):
                await asyncio.sleep(0)
            fate = 1.0 if self.calm else self.chance.random()
            if fate < 0.08:
                raise KafkaError("refused")
            if fate < 0.16:
                self.late.append(positions)
                raise KafkaError("not known yet")
            base = self.partition.end
            self.partition.extend(*positions)
            if fate < 0.24:
                raise KafkaError("there, but not acknowledged")
            return base
        finally:
            self.in_flight -= 1

    def arrive_late(self) -> None:
        if self.late:
            self.partition.extend(*self.late.pop(self.chance.randrange(len(self.late))))


class Walk:
    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.partition, self.cursors, self.log = FakePartition(3), FakeCursors(), FakeLog()
        self.kafka = FaultyKafka(self.partition, self.chance)
        self.around = RelayContext(
            log=self.log,
            cursors=self.cursors,
            publisher=self.kafka,
            partition=lambda _shard: self.partition,
            usable=lambda _topic: True,
            topic_missing=lambda: None,
            metrics=RelayMetrics(CollectorRegistry()),
            reconcile_interval_seconds=0.002,
        )
        self.valid = True
        self.start()

    def start(self) -> None:
        claim = Claim(SHARD, UUID(int=1), self.cursors.epoch)
        lease = Lease(claim, 1.0, lambda: 0.0 if self.valid else 2.0)
        self.loop = ShardLoop(lease, self.around)
        self.task = asyncio.create_task(self.loop.run())

    async def step(self) -> None:
        for act, weight in self.acts():
            if self.chance.random() < weight:
                act()
        for _ in range(self.chance.randint(1, 12)):
            await asyncio.sleep(0)
        if self.chance.random() < 0.2:
            await asyncio.sleep(0.003)
        if self.task.done():
            self.task.result()
            self.start()

    def acts(self) -> list[tuple[Callable[[], object], float]]:
        return [
            (self.commit, 0.6),
            (self.kafka.arrive_late, 0.1),
            (self.partition.made_again, 0.03),
            (
                lambda: self.partition.lose_tail(
                    min(self.chance.randint(1, 3), len(self.partition.records))
                ),
                0.04,
            ),
            (lambda: self.partition.append(0), 0.05),
            (self.taken_over, 0.04),
            (self.toggle_lease, 0.1),
        ]

    def commit(self) -> None:
        self.log.commit(self.chance.randint(1, 4))
        self.loop.wake()

    def taken_over(self) -> None:
        """Another relay, or this one again: the old one's writes are refused from now on."""
        self.cursors.epoch += 1
        self.loop.stop()

    def toggle_lease(self) -> None:
        self.valid = not self.valid

    async def calm_down(self) -> None:
        while self.kafka.late:
            self.kafka.arrive_late()
        self.kafka.calm, self.valid = True, True
        for _ in range(400):
            await self.step_quietly()
            if self.healed():
                return

    async def step_quietly(self) -> None:
        self.loop.wake()
        await asyncio.sleep(0.002)
        if self.task.done():
            self.start()

    def healed(self) -> bool:
        return len(self.log.ids) == taken(self.partition.records)

    async def end(self) -> None:
        self.loop.stop()
        await self.task


def taken(records: Sequence[Seen]) -> int:
    """How far a reader that takes the next position comes."""
    position = 0
    for seen in records:
        if seen.position:
            assert seen.event_id == event_id(seen.position)
        if seen.position == position + 1:
            position += 1
    return position


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    async def short(event: asyncio.Event, seconds: float) -> None:
        try:
            async with asyncio.timeout(min(max(seconds, 0), 0.002)):
                await event.wait()
        except TimeoutError:
            return

    monkeypatch.setattr(shard_loop, "_wait", short)


Body = Callable[[], Awaitable[None]]


@pytest.mark.usefixtures("quick")
@pytest.mark.parametrize("seed", range(100))
async def test_after_any_faults_a_strict_reader_gets_everything(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        await walk.step()
    await walk.calm_down()
    await walk.end()
    assert walk.cursors.halted is None
    positions = [seen.position for seen in walk.partition.records]
    assert walk.healed(), f"log {len(walk.log.ids)}, topic {positions}, {walk.cursors.cursor}"
