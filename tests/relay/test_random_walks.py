"""Random walks of a shard's loop over faults in memory; afterwards the topic is complete."""

import asyncio
import random
from collections.abc import Callable, Sequence
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError

from command_service.relay.lease import FencingToken, Lease
from command_service.relay.publisher import BatchInFlight
from command_service.relay.reconcile import KafkaRecordRef
from command_service.relay.shard_loop import ShardLoop
from shared.contracts.records import Record
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition, event_id, relay_context
from tests.support.virtual_time import run_in_virtual_time

SHARD = "products.0"
STEPS = 60


class FaultyPublisher:
    """Its batches arrive, fail, arrive without an acknowledgement, or arrive late."""

    def __init__(self, partition: FakePartition, chance: random.Random) -> None:
        self.partition, self.chance = partition, chance
        self.late: list[list[int]] = []
        self.faults_enabled = True
        self.in_flight = 0

    async def send(self, shard: str, records: Sequence[Record]) -> BatchInFlight:
        assert self.in_flight == 0, "one unacknowledged batch at a time"
        positions = [r.position for r in records[: self.chance.randint(1, 3)]]
        assert positions == list(range(positions[0], positions[0] + len(positions)))
        self.in_flight += 1
        return BatchInFlight(len(positions), self._base_offset(positions))

    async def _base_offset(self, positions: list[int]) -> int:
        try:
            for _ in range(self.chance.randint(0, 3)):
                await asyncio.sleep(0)
            fate = self.chance.random() if self.faults_enabled else 1.0
            if fate < 0.08:
                raise KafkaError("rejected")
            if fate < 0.16:
                self.late.append(positions)
                raise KafkaError("late")
            base = self.partition.end
            self.partition.extend(*positions)
            if fate < 0.24:
                raise KafkaError("arrived, but not acknowledged")
            return base
        finally:
            self.in_flight -= 1

    def deliver_late_batch(self) -> None:
        if self.late:
            self.partition.extend(*self.late.pop(self.chance.randrange(len(self.late))))


class Walk:
    def __init__(self, seed: int) -> None:
        random.seed(seed)  # of the loop's intervals
        self.chance = random.Random(seed)
        self.partition, self.cursors, self.log = FakePartition(3), FakeCursors(), FakeLog()
        self.publisher = FaultyPublisher(self.partition, self.chance)
        clock = asyncio.get_running_loop().time
        self.context = relay_context(
            self.log, self.cursors, self.publisher, self.partition, 10, clock
        )
        self.lease_is_valid = True
        self.start()

    def start(self) -> None:
        token = FencingToken(SHARD, UUID(int=1), self.cursors.epoch)
        lease = Lease(token, 1.0, lambda: 0.0 if self.lease_is_valid else 2.0)
        self.loop = ShardLoop(lease, self.context)
        self.task = asyncio.create_task(self.loop.run())

    async def step(self) -> None:
        for action, probability in self.actions():
            if self.chance.random() < probability:
                action()
        for _ in range(self.chance.randint(1, 12)):
            await asyncio.sleep(0)
        if self.chance.random() < 0.5:
            await asyncio.sleep(self.chance.choice((0.1, 1, 10)))
        self.restart_if_ended()

    def actions(self) -> list[tuple[Callable[[], object], float]]:
        return [
            (self.commit, 0.6),
            (self.publisher.deliver_late_batch, 0.1),
            (self.partition.recreate, 0.03),
            (self.lose_tail, 0.04),
            (lambda: self.partition.append(0), 0.05),
            (self.lose_shard, 0.04),
            (self.toggle_lease, 0.1),
        ]

    def commit(self) -> None:
        self.log.commit(self.chance.randint(1, 4))
        self.loop.wake()

    def lose_tail(self) -> None:
        self.partition.lose_tail(min(self.chance.randint(1, 3), len(self.partition.records)))

    def lose_shard(self) -> None:
        """To another relay, or to a later acquisition of this one: old writes are rejected."""
        self.cursors.epoch += 1
        self.loop.stop()

    def toggle_lease(self) -> None:
        self.lease_is_valid = not self.lease_is_valid

    def restart_if_ended(self) -> None:
        if self.task.done():
            self.task.result()
            self.start()

    async def end_faults(self) -> None:
        while self.publisher.late:
            self.publisher.deliver_late_batch()
        self.publisher.faults_enabled, self.lease_is_valid = False, True
        for _ in range(400):
            self.loop.wake()
            await asyncio.sleep(1)
            self.restart_if_ended()
            if self.is_complete():
                return

    def is_complete(self) -> bool:
        return len(self.log.ids) == consume(self.partition.records)

    async def end(self) -> None:
        self.loop.stop()
        await self.task


def consume(records: Sequence[KafkaRecordRef]) -> int:
    """The last position that a strict consumer reaches."""
    position = 0
    for record in records:
        if record.position:
            assert record.event_id == event_id(record.position)
        if record.position == position + 1:
            position += 1
    return position


@pytest.mark.parametrize("seed", range(100))
def test_after_any_faults_a_strict_consumer_receives_every_event(seed: int) -> None:
    run_in_virtual_time(_walk(seed))


async def _walk(seed: int) -> None:
    walk = Walk(seed)
    for _ in range(STEPS):
        await walk.step()
    await walk.end_faults()
    await walk.end()
    assert walk.cursors.halted is None
    state = f"{len(walk.log.ids)} events, topic {walk.partition.positions}, {walk.cursors.cursor}"
    assert walk.is_complete(), state
