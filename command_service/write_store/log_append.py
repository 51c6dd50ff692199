"""Appends a batch's events and stores its results, in the last statement before COMMIT.

It is one statement because the shards are locked from here until COMMIT, and because results
contain positions, which are only determined here.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple
from uuid import UUID

import asyncpg

from command_service.write_store.columns import columns
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.results import Accepted, Rejected, Result
from shared.contracts.events import Event
from shared.contracts.shards import shard_of
from shared.contracts.tokens import format_token, merge_position

# After a lost connection, the batch's row shows that the batch was committed.
_APPEND = """
WITH batch AS (
    INSERT INTO batches (id) SELECT $19::uuid WHERE $19 IS NOT NULL
), appended AS (
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
), stored AS (
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


class NewEvent(NamedTuple):
    """An event of the command at index `command` of its batch."""

    command: int
    event: Event
    event_id: str
    actor: str | None
    at: datetime
    traceparent: str | None


class ResultToStore(NamedTuple):
    """The result of a command with an idempotency key.

    Its token covers the events of the command at index `command` of the batch: the command itself,
    or an earlier one whose events it depends on.
    """

    command: int
    pending: PendingCommand
    result: Result


async def append(
    connection: asyncpg.Connection,
    batch_id: UUID | None,
    events: Sequence[NewEvent],
    results: Sequence[ResultToStore],
    partitions: int,
) -> dict[int, dict[str, int]]:
    """Return the last position in each shard for every command with events. COMMIT must follow.

    `batch_id` is None for a batch whose outcome is never queried.
    """
    rows = await connection.fetch(
        _APPEND,
        *columns(9, (_event_row(event, partitions) for event in events)),
        *columns(9, (_result_row(*result) for result in results)),
        batch_id,
    )
    positions: dict[int, dict[str, int]] = {}
    for ordinal, shard, position in rows:
        merge_position(positions.setdefault(events[ordinal - 1].command, {}), shard, position)
    return positions


def _event_row(new: NewEvent, partitions: int) -> tuple[object, ...]:
    command, event, event_id, actor, at, traceparent = new
    shard = shard_of(event.topic, event.id, partitions)
    event_actor = None if event.type in _UNATTRIBUTED else actor
    data = event.model_dump_json()
    return (shard, event_id, event.type, event.id, event_actor, at, traceparent, data, command)


def _result_row(command: int, pending: PendingCommand, result: Result) -> tuple[object, ...]:
    assert pending.caller_key is not None
    stored_under = (command, *pending.caller_key, pending.request_hash)
    match result:
        case Accepted():
            return (*stored_under, result.id, result.version, result.token or None, None, None)
        case Rejected():
            return (*stored_under, None, None, None, result.reason, result.detail)


async def head_tokens(connection: asyncpg.Connection, shards: set[str]) -> dict[str, str]:
    """A token for each shard that covers all of its events so far."""
    if not shards:
        return {}
    rows = await connection.fetch(_HEADS, list(shards))
    return {row["name"]: format_token({row["name"]: row["head"]}) for row in rows}
