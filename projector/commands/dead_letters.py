"""`dead-letters`: lists, explains and retries the parked events."""

from collections.abc import Sequence
from typing import NamedTuple

from projector.commands.context import CommandContext, UsageError
from projector.commands.output import DONE, REJECTED
from projector.projection import Projection
from projector.refolding import Refolding
from shared.contracts.ids import parse_id
from shared.contracts.shards import TOPICS, shard_of
from shared.contracts.views import ParkedEntry

_COLUMNS = ("SHARD", "AGGREGATE", "FIRST", "TYPE", "REASON", "EVENTS", "SINCE", "NOW")


class _Parked(NamedTuple):
    shard: str
    id: str
    entry: ParkedEntry


async def list_parked(context: CommandContext, shards: Sequence[str]) -> int:
    """One row per parked aggregate."""
    rows = []
    for parked in await _all(context, context.shards(shards)):
        now = await _refolding(context, parked.shard).refold(parked.id, dry_run=True)
        entry = parked.entry
        rows.append(
            {
                "shard": parked.shard,
                "aggregate": parked.id,
                "first": entry.first_position,
                "type": entry.type or None,
                "reason": entry.reason or None,
                "events": entry.events,
                "since": entry.since or None,
                "now": _now(now.remaining, entry),
            }
        )
    context.output.table(_COLUMNS, rows)
    return DONE


async def show(context: CommandContext, id: str) -> int:
    """The events of a parked aggregate, and what they withhold. No values of events."""
    found = await _find(context, id)
    if found is None:
        context.output.line(f"{id} is not parked", id=id, parked=False)
        return REJECTED
    shard, _, entry = found
    now = (await _refolding(context, shard).refold(id, dry_run=True)).remaining
    output = context.output
    output.line(
        f"{shard}  {id}  {entry.events} events since {entry.since or 'unknown'}: "
        f"{entry.reason or 'unknown error'}; now: {_now(now, entry)}\n"
        f"The document lacks the events from {entry.first_position} on: reads whose token covers "
        "them get 503, lists and the dashboard contain the older state.",
        shard=shard,
        id=id,
        parked=True,
        first_position=entry.first_position,
        events=entry.events,
        type=entry.type or None,
        reason=entry.reason or None,
        since=entry.since or None,
        now=_now(now, entry),
    )
    after, upto = entry.first_position - 1, 2**62
    while rows := await context.log.read_subject(shard, id, after, upto, 1000):
        for row in rows:
            fails = now is not None and now.events > 0 and row.position == now.first_position
            note = f"  {now.reason}" if now is not None and fails else ""
            output.line(
                f"{row.position:>12,}  {row.type}  {row.time}  {row.event_id}{note}",
                position=row.position,
                type=row.type,
                time=row.time,
                event_id=row.event_id,
                error=now.reason if now is not None and fails else None,
            )
        after = rows[-1].position
    return DONE


async def retry(context: CommandContext, ids: Sequence[str], *, all: bool) -> int:
    """Folds the parked events of these aggregates, or of all."""
    if all == bool(ids):
        raise UsageError("give ids or --all")
    if all:
        parked = await _all(context, context.shards([]))
    else:
        parked = []
        for id in ids:
            found = await _find(context, id)
            if found is None:
                context.output.line(f"{id} is not parked", id=id, parked=False)
                return REJECTED
            parked.append(found)
    status = DONE
    for shard, id, entry in parked:
        remaining = (await _refolding(context, shard).refold(id)).remaining
        left = remaining.events if remaining else 0
        context.output.line(
            f"{shard}  {id}  retried: {entry.events - left} events, {left} remaining"
            + (f" ({remaining.reason})" if remaining else ""),
            shard=shard,
            id=id,
            events=entry.events - left,
            remaining=left,
            reason=remaining.reason if remaining else None,
        )
        if remaining:
            status = REJECTED
    return status


async def _all(context: CommandContext, shards: Sequence[str]) -> list[_Parked]:
    found = []
    for shard in shards:
        for id, entry in (await context.projection(shard).parked()).items():
            found.append(_Parked(shard, id, entry))
    return found


async def _find(context: CommandContext, id: str) -> _Parked | None:
    """Raises UsageError if it is not an id."""
    if parse_id(id) is None:
        raise UsageError(f"not an id: {id}")
    for topic in TOPICS:
        shard = shard_of(topic, id.lower(), context.settings.partitions)
        entry = (await context.projection(shard).parked()).get(id.lower())
        if entry is not None:
            return _Parked(shard, id.lower(), entry)
    return None


def _refolding(context: CommandContext, shard: str) -> Refolding:
    projection: Projection = context.projection(shard)
    return Refolding(projection, context.log)


def _now(remaining: ParkedEntry | None, entry: ParkedEntry) -> str:
    if remaining is None:
        return "foldable"
    if remaining.first_position > entry.first_position:
        return "partly foldable"
    return remaining.reason or "not foldable"
