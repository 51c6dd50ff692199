"""From the event log to the views: two relays and two projectors on simulated servers, with faults.

One shard, because shards are independent.
"""

import asyncio
from collections.abc import Mapping
from random import Random
from typing import Final, NamedTuple

from shared.contracts.views import decode_checkpoint
from tests.simulation.faults import Faults, Network
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.processes import Projector, Relay
from tests.simulation.servers import Servers, views_of
from tests.support.expected_views import Content, differences, of_generation

SHARDS: Final = ("users.4", "products.4", "orders.4")
STEPS: Final = 12
SETTLE_SECONDS: Final = 120


class Profile(NamedTuple):
    """Which faults the schedules have, and how probable they are."""

    projectors: int
    p_network: tuple[float, ...]
    """For each request; one of them is drawn for each schedule."""
    p_at_step: Mapping[str, float]
    p_at_request: float
    at_request: tuple[str, ...]
    """One of them is drawn when a request arrives."""


TOPICS: Final = Profile(
    0,
    (0, 0.01, 0.05),
    {"commit": 0.7, "kill_relay": 0.05, "pause_relay": 0.05, "resume_all": 0.2},
    0.02,
    ("recreate_topic", "recreate_topic", "lose_tail_of_topic", "add_foreign_record", "kill_relay"),
)
VIEWS: Final = Profile(
    2,
    (0, 0.005, 0.03),
    {
        "commit": 0.7,
        "kill_relay": 0.03,
        "kill_projector": 0.05,
        "pause_projector": 0.08,
        "resume_all": 0.2,
        "rebalance": 0.08,
        "recreate_topic": 0.05,
        "redeliver": 0.1,
        "back_up_redis": 0.1,
    },
    0.01,
    ("restore_redis", "empty_redis", "lose_tail_of_topic", "kill_projector", "back_up_redis"),
)
RESTORES: Final = Profile(
    2,
    (0, 0.005),
    {
        "commit": 0.8,
        "kill_projector": 0.03,
        "pause_relay": 0.3,
        "resume_all": 0.1,
        "rebalance": 0.05,
        "back_up_postgres": 0.25,
        "restore_postgres": 0.15,
    },
    0.003,
    ("back_up_redis", "restore_redis", "kill_relay"),
)
"""Relays are often paused, so that the views are ahead of the topic."""


class Pipeline(Servers):
    """The servers, the processes, and the faults of one schedule."""

    def __init__(self, loop: SimulatedLoop, faults: Faults, seed: int, profile: Profile) -> None:
        random = Random(seed + 1)
        network = Network(loop, faults, seed + 2, self._disturb)
        p_fault = random.choice(profile.p_network)
        super().__init__(loop, network, p_fault, SHARDS[seed % len(SHARDS)], random)
        self.faults, self._profile = faults, profile
        self._redis_backup: tuple[dict[str, bytes], Content] = ({}, Content())
        self._postgres_backup = 0, self.cursors.backup()
        self._relays = [self._start_relay(1), self._start_relay(2)]
        self._relay_count = 2
        self._projectors = [self._start_projector() for _ in range(profile.projectors)]
        self._assign(0)

    async def run(self) -> None:
        for _ in range(STEPS):
            for action, probability in self._profile.p_at_step.items():
                if self.faults.happens(action, probability):
                    getattr(self, action)()
            await asyncio.sleep(self._random.choice((0, 0.005, 0.02, 0.1, 0.5, 1.5)))

    def _disturb(self) -> None:
        """At any moment between two requests of a process."""
        action = self._random.choice(self._profile.at_request)
        if self.faults.happens(action, self._profile.p_at_request):
            getattr(self, action)()

    def commit(self) -> None:
        self.log.commit(self._random.randint(1, 4))
        self.published |= {event.event_id: event for event in self.log.records}
        for relay, _ in self._relays:
            if relay.shard_loop is not None and self._random.random() < 0.9:
                relay.shard_loop.wake()

    def kill_relay(self) -> None:
        index = self._random.randrange(2)
        self._relays[index][1].kill()
        self._relay_count += 1
        self._relays[index] = self._start_relay(self._relay_count)

    def kill_projector(self) -> None:
        index = self._random.randrange(2)
        projector, process = self._projectors[index]
        process.kill()
        self._projectors[index] = self._start_projector()
        if projector.is_assigned:
            self._assign(self._random.randrange(2))

    def pause_relay(self) -> None:
        self._random.choice(self._relays)[1].pause()

    def pause_projector(self) -> None:
        projector, process = self._random.choice(self._projectors)
        process.pause()
        if projector.is_assigned and self._random.random() < 0.7:
            self.rebalance()

    def resume_all(self) -> None:
        for _, process in (*self._relays, *self._projectors):
            process.resume()

    def rebalance(self) -> None:
        self._assign(0 if self._projectors[1][0].is_assigned else 1)

    def recreate_topic(self) -> None:
        """Late batches of former owners, and foreign records, may be the first in the new topic.

        Not after PostgreSQL was restored: that can remove the evidence of a log divergence.
        """
        if self.log.history.restored_at is not None:
            return
        self.partition.recreate()
        while self._random.random() < 0.7:
            if self.sent and self._random.random() < 0.7:
                self.partition.put(self._random.choice(self.sent[-3:]))
            else:
                self.partition.append(0)

    def lose_tail_of_topic(self) -> None:
        if self.log.history.restored_at is None:
            self.partition.lose_tail(min(self._random.randint(1, 3), len(self.partition.records)))

    def add_foreign_record(self) -> None:
        self.partition.append(0)

    def redeliver(self) -> None:
        self._random.choice(self._projectors)[0].kafka.step_back(self._random.randint(1, 4))

    def back_up_redis(self) -> None:
        self._redis_backup = dict(self.store.stored), _copy(self.store.content(self.shard))

    def restore_redis(self) -> None:
        stored, content = self._redis_backup
        self.store.stored = dict(stored)
        self.store.contents = {self.shard: _copy(content)}

    def empty_redis(self) -> None:
        self.store.stored, self.store.contents = {}, {}

    def back_up_postgres(self) -> None:
        self._postgres_backup = len(self.log.records), self.cursors.backup()

    def restore_postgres(self) -> None:
        """Once per schedule, because the history has one point of restoration."""
        if self.log.history.restored_at is None:
            length, cursors = self._postgres_backup
            self.log.restore(length)
            self.cursors.restore(cursors)

    async def settle(self) -> str | None:
        """Without further faults, until topic and views are complete. Returns the violation."""
        self.resume_all()
        violation = self._violation()
        deadline = self.loop.time() + SETTLE_SECONDS
        while violation is not None and self.loop.time() < deadline:
            await asyncio.sleep(0.5)
            violation = self._violation()
        return violation

    def _violation(self) -> str | None:
        if self.network.late_requests:
            return "a request is late"
        if self.log.history.restored_at is not None and self._alarm():
            return None
        violation = self._alarm() or self._topic_violation()
        return violation or (self._view_violation() if self._projectors else None)

    def _alarm(self) -> str | None:
        """A log divergence that was detected; an operator decides."""
        if self.cursors.halted:
            return f"the shard is halted: {self.cursors.halted}"
        diverged = any(projector.shard.diverged for projector, _ in self._projectors)
        return "a projector is halted" if diverged else None

    def _topic_violation(self) -> str | None:
        """A consumer that reads the partition from the start receives each event once, in order."""
        expected = [event.event_id for event in self.log.records]
        consumed: list[str] = []
        for ref in self.partition.records:
            if 0 < ref.position <= len(consumed) and consumed[ref.position - 1] != ref.event_id:
                return f"the topic has two events at position {ref.position}"
            if ref.position == len(consumed) + 1:
                consumed.append(ref.event_id)
        if consumed != expected:
            return f"the topic has {self.partition.positions}, the event log {len(expected)} events"
        return None

    def _view_violation(self) -> str | None:
        """The views are the fold of the event log."""
        checkpoint = decode_checkpoint(self.store.stored.get(self.shard))
        count = len(self.log.records)
        event_id = self.log.records[-1].event_id if count else ""
        if checkpoint is None or (checkpoint.position, checkpoint.event_id) != (count, event_id):
            return f"the checkpoint is {checkpoint}, the event log ends with {count} {event_id}"
        if checkpoint.target > count:
            return f"the views are rejected until {checkpoint.target}"
        content = of_generation(self.shard, checkpoint.generation, self.store.content(self.shard))
        found = differences(views_of(self.log.history, count), content)
        return found[0] if found else None

    def _start_relay(self, number: int) -> tuple[Relay, Process]:
        relay = Relay(self, number)
        return relay, Process(self.loop, relay.run())

    def _start_projector(self) -> tuple[Projector, Process]:
        projector = Projector(self)
        return projector, Process(self.loop, projector.run())

    def _assign(self, owner: int) -> None:
        for index, (projector, _) in enumerate(self._projectors):
            projector.is_assigned = index == owner


def _copy(content: Content) -> Content:
    members = {key: set(ids) for key, ids in content.members.items()}
    return Content(dict(content.values), members)
