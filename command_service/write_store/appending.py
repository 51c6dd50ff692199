"""Appends a batch's events to the log and stores its answers, in the last statement before COMMIT.

Both stand in one statement because the shards are locked from here on until COMMIT, and an answer
names positions that are only known then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import asyncpg

from command_service.write_store.answers import Accepted, Answer, Rejected
from command_service.write_store.pending import Pending
from shared.contracts.events import Event
from shared.contracts.shards import shard_of
from shared.contracts.tokens import format_token, merge_position

_APPEND = """
WITH appended AS (
    SELECT * FROM append(
        $1::text[], $2::uuid[], $3::text[], $4::uuid[],
        $5::text[], $6::timestamptz[], $7::text[], $8::text[]
    )
), parts AS (
    SELECT e.command, a.shard, max(a.position) AS position
    FROM appended AS a
    JOIN unnest($9::int[]) WITH ORDINALITY AS e (command, ordinal) ON e.ordinal = a.ordinal
    GROUP BY e.command, a.shard
), tokens AS (
    SELECT command, string_agg(shard || ':' || position, ';' ORDER BY shard COLLATE "C") AS token
    FROM parts GROUP BY command
), remembered AS (
    INSERT INTO answers (caller, key, request, id, version, token, reason, detail)
    SELECT k.caller, k.key, k.request, k.id, k.version,
           coalesce(t.token, k.token), k.reason, k.detail
    FROM unnest(
        $10::int[], $11::text[], $12::text[], $13::bytea[],
        $14::uuid[], $15::int[], $16::text[], $17::text[], $18::text[]
    ) AS k (command, caller, key, request, id, version, token, reason, detail)
    LEFT JOIN tokens AS t ON t.command = k.command
)
SELECT ordinal, shard, position FROM appended
"""
_HEADS = "SELECT s.name, head(s.name) AS head FROM unnest($1::text[]) AS s (name)"
_UNATTRIBUTED = frozenset({"product.reserved", "product.released"})


@dataclass(frozen=True, slots=True)
class NewEvent:
    """An event that the command at index `command` of its batch decided."""

    command: int
    event: Event
    event_id: str
    actor: str | None
    at: datetime
    traceparent: str | None


async def append(
    connection: asyncpg.Connection,
    events: Sequence[NewEvent],
    to_remember: Sequence[tuple[int, Pending, Answer]],
    partitions: int,
) -> dict[int, dict[str, int]]:
    """The last position in each shard, for every command that has events. COMMIT must follow."""
    shards = [shard_of(new.event.topic, new.event.id, partitions) for new in events]
    rows = await connection.fetch(
        _APPEND,
        shards,
        [new.event_id for new in events],
        [new.event.type for new in events],
        [new.event.id for new in events],
        [None if new.event.type in _UNATTRIBUTED else new.actor for new in events],
        [new.at for new in events],
        [new.traceparent for new in events],
        [new.event.model_dump_json() for new in events],
        [new.command for new in events],
        *_answer_columns(to_remember),
    )
    positions: dict[int, dict[str, int]] = {}
    for row in rows:
        of_command = positions.setdefault(events[row["ordinal"] - 1].command, {})
        merge_position(of_command, row["shard"], row["position"])
    return positions


def _answer_columns(to_remember: Sequence[tuple[int, Pending, Answer]]) -> list[list[object]]:
    columns: list[list[object]] = [[] for _ in range(9)]
    for command, pending, answer in to_remember:
        row = (command, *(pending.name or ("", "")), pending.request, *_answer_fields(answer))
        for column, value in zip(columns, row, strict=True):
            column.append(value)
    return columns


def _answer_fields(answer: Answer) -> tuple[object, ...]:
    match answer:
        case Accepted():
            return (answer.id, answer.version, answer.token or None, None, None)
        case Rejected():
            return (None, None, None, answer.reason, answer.detail)


async def head_tokens(connection: asyncpg.Connection, shards: set[str]) -> dict[str, str]:
    """What an answer without events stands for: all that its aggregate's shard holds by now."""
    if not shards:
        return {}
    rows = await connection.fetch(_HEADS, list(shards))
    return {row["name"]: format_token({row["name"]: row["head"]}) for row in rows}
