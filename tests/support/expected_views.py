"""The expected content of Redis for a shard, from folding its event log, and the actual content."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, cast

from redis.asyncio import Redis

from projector.fold import fold, park
from projector.store import WriteBatch, decode_state, state_keys
from projector.views.registry import VIEWS_BY_TOPIC
from projector.views.view import View
from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import FIRST_GENERATION, checkpoint_key, decode_checkpoint
from shared.event_log import EventLog


@dataclass
class Content:
    """All keys of a shard except checkpoint and head: plain values, and members of sorted sets."""

    values: dict[str, bytes] = field(default_factory=dict)
    members: dict[str, set[str]] = field(default_factory=dict)

    def apply(self, writes: WriteBatch) -> None:
        """Like `write.lua`, without the checkpoint."""
        for key, value in writes.values.items():
            if value is None:
                self.values.pop(key, None)
            else:
                self.values[key] = value
        for key, ids in writes.added.items():
            self.members.setdefault(key, set()).update(ids)
        for key, ids in writes.removed.items():
            left = self.members.get(key, set()) - set(ids)
            self.members.pop(key, None)
            if left:
                self.members[key] = left


def expected_content(shard: str, records: Iterable[Record], views: Sequence[View] = ()) -> Content:
    """The fold of a shard's event log, one event at a time; poison events are parked."""
    views = views or VIEWS_BY_TOPIC[split_shard(shard)[0]]
    content, stored = Content(), b""
    for record in records:
        writes = _one(views, shard, content, stored, record)
        content.apply(writes)
        stored = writes.checkpoint.encode()
    return content


def _one(
    views: Sequence[View], shard: str, content: Content, stored: bytes, record: Record
) -> WriteBatch:
    values = [content.values.get(key) for key in state_keys(views, shard, [record])]
    state = decode_state(views, [record], stored, values)
    try:
        return fold(views, state, [record], -1)
    except Exception as error:
        return park(views, state, record, -1, error)


async def read_event_log(log: EventLog, shard: str, upto: int | None = None) -> list[Record]:
    """All records of a shard, or those up to a position."""
    records: list[Record] = []
    while rows := await log.read(shard, len(records) + 1, 5000):
        records += rows
    return records if upto is None else records[:upto]


async def content_in_redis(redis: Redis, shard: str, generation: str | None = None) -> Content:
    """Everything of one generation, the live one by default, read as the administrator."""
    if generation is None:
        checkpoint = decode_checkpoint(cast("Any", await redis.get(checkpoint_key(shard))))
        generation = checkpoint.generation if checkpoint else FIRST_GENERATION
    content = Content()
    async for raw in redis.scan_iter(match=f"{{{shard}}}:*", count=1000):
        await _read(redis, content, raw.decode())
    return of_generation(shard, generation, content)


def of_generation(shard: str, generation: str, content: Content) -> Content:
    """The content of one generation, with the keys of the first one."""
    kept = {f"{{{shard}}}:{name}" for name in ("checkpoint", "head", "spare", "sweep", "owner")}
    infix = re.compile(r"(\{[^}]*\}:)(g[0-9a-z]{6,}):")

    def own_key(key: str) -> str | None:
        found = infix.match(key)
        if key in kept or (found[2] if found else FIRST_GENERATION) != generation:
            return None
        return infix.sub(r"\1", key)

    return Content(
        {name: value for key, value in content.values.items() if (name := own_key(key))},
        {name: ids for key, ids in content.members.items() if (name := own_key(key))},
    )


async def _read(redis: Redis, content: Content, key: str) -> None:
    if await redis.type(key) == b"zset":
        found: Any = await redis.zrange(key, 0, -1, withscores=True)
        assert all(score == 0 for _, score in found), f"{key} has a score"
        content.members[key] = {id.decode() for id, _ in found}
    else:
        value: Any = await redis.get(key)
        if value is not None:
            content.values[key] = value


def differences(expected: Content, found: Content) -> list[str]:
    """One line per missing, unexpected or different key."""
    lines: list[str] = []
    kinds: list[tuple[str, Mapping[str, Any], Mapping[str, Any]]] = [
        ("value", expected.values, found.values),
        ("members", expected.members, found.members),
    ]
    for kind, required, actual in kinds:
        lines += [f"missing {kind}: {key}" for key in required.keys() - actual.keys()]
        lines += [f"unexpected {kind}: {key}" for key in actual.keys() - required.keys()]
        lines += [
            f"different {kind}: {key}: {actual[key]!r} instead of {required[key]!r}"
            for key in required.keys() & actual.keys()
            if required[key] != actual[key]
        ]
    return sorted(lines)


async def view_differences(redis: Redis, log: EventLog, shards: Sequence[str]) -> list[str]:
    """The differences between the views of these shards and the fold of the event log."""
    lines: list[str] = []
    for shard in shards:
        expected = expected_content(shard, await read_event_log(log, shard))
        lines += differences(expected, await content_in_redis(redis, shard))
    return lines
