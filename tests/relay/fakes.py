"""Kafka's partition, the cursors and the log in memory, as faithful as the check needs them."""

from collections.abc import Iterable, Sequence
from uuid import UUID, uuid5

from command_service.relay.cursor import NONE, Claim, Cursor, NotOwner
from command_service.relay.reconcile import Seen
from shared.contracts.records import Record

NAMES = UUID(int=7)


def event_id(position: int, history: str = "a") -> str:
    return str(uuid5(NAMES, f"{history} {position}"))


class FakePartition:
    """Records by offset. `read` gives at most `at_once` of them, to make scans take steps."""

    def __init__(self, at_once: int = 2) -> None:
        self.records: list[Seen] = []
        self.start = 0
        self.clock = 1000
        self._base = 0
        self._at_once = at_once

    @property
    def end(self) -> int:
        return self._base + len(self.records)

    def append(self, position: int, history: str = "a") -> None:
        self.clock += 1
        id = event_id(position, history) if position else ""
        self.records.append(Seen(self.end, self.clock, position, id))

    def extend(self, *positions: int) -> None:
        for position in positions:
            self.append(position)

    def made_again(self) -> None:
        self.records, self.start, self._base = [], 0, 0

    def lose_tail(self, count: int) -> None:
        del self.records[len(self.records) - count :]

    def age_out(self, before: int) -> None:
        """The records below this offset go, as by retention."""
        del self.records[: before - self._base]
        self._base = self.start = before

    async def bounds(self) -> tuple[int, int]:
        return self.start, self.end

    async def read(self, first: int, end: int) -> tuple[Sequence[Seen], int]:
        assert self.start <= first < self.end, "out of range"
        some = [r for r in self.records if first <= r.offset < end][: self._at_once]
        return some, some[-1].offset + 1


class FakeCursors:
    """One shard's row. Another epoch than the row's is refused."""

    def __init__(self) -> None:
        self.cursor = NONE
        self.epoch = 1
        self.halted: str | None = None

    def _own(self, claim: Claim) -> None:
        if claim.epoch != self.epoch or self.halted:
            raise NotOwner(claim.shard)

    async def read(self, claim: Claim) -> Cursor:
        self._own(claim)
        return self.cursor

    async def write(self, claim: Claim, cursor: Cursor) -> None:
        self._own(claim)
        self.cursor = cursor

    async def halt(self, claim: Claim, reason: str) -> None:
        self._own(claim)
        self.halted = reason


class FakeLog:
    """The log of one shard: a list of event ids, the first at position 1."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def commit(self, count: int, history: str = "a") -> None:
        first = len(self.ids) + 1
        self.ids += [event_id(position, history) for position in range(first, first + count)]

    def restore(self, length: int) -> None:
        """As a backup would: what came after it never happened."""
        del self.ids[length:]

    async def read(self, shard: str, first: int, limit: int) -> Sequence[Record]:
        ids = self.ids[first - 1 : first - 1 + limit]
        return [_record(shard, first + i, id) for i, id in enumerate(ids)]

    async def heads(self, shards: Iterable[str]) -> dict[str, int]:
        return dict.fromkeys(shards, len(self.ids))

    async def event_ids(self, shard: str, positions: Iterable[int]) -> dict[int, str]:
        return {p: self.ids[p - 1] for p in positions if p <= len(self.ids)}


def _record(shard: str, position: int, id: str) -> Record:
    return Record(
        shard,
        position,
        id,
        "product.retired",
        str(UUID(int=0)),
        None,
        "2026-01-01T00:00:00.000Z",
        None,
        b'{"id":"x","version":1}',
    )


def moved(seen: Seen, offset: int) -> Seen:
    return seen._replace(offset=offset)
