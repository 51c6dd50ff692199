"""Verifies a spare generation before its cutover."""

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

import orjson

from projector.inspection import MAX_BATCH, Inspection
from projector.metrics import Metrics
from projector.projection import Projection
from projector.spare import SpareProjection
from projector.store import Store
from projector.views.registry import Shapes
from shared.contracts.views import dashboard_key, generation_key, ids_key
from shared.event_log import PostgresEventLog

_PAGE: Final = 1000


@dataclass(slots=True)
class Verification:
    """The result. `differ_from_live` is None if live has another shape."""

    documents: int
    replayed: int = 0
    differ_from_live: int | None = None
    parked: int = 0
    live_parked: int = 0
    problems: list[str] = field(default_factory=list)


async def verify(
    shard: str,
    generation: str,
    shapes: Shapes,
    store: Store,
    log: PostgresEventLog,
    metrics: Metrics,
    *,
    sample: int | None,
    accept_parked: bool,
    progress: Callable[[int, int], None],
) -> Verification:
    """Compares the spare with the event log; `sample` aggregates, or all (None).

    `progress` gets the number of aggregates replayed, and of those to replay. Raises SpareGone.
    """
    spare = SpareProjection(shard, generation, shapes, store, metrics)
    ids_name = generation_key(generation, ids_key(shard))
    part_name = generation_key(generation, dashboard_key(shard))
    while True:  # the owner may catch up the spare at the same time
        state = await spare.load([])
        number = await store.count(shard, ids_name)
        _, (part,) = await store.load(shard, [part_name])
        if await spare.checkpoint() == state.stored:
            break
    checkpoint = state.checkpoint
    assert checkpoint is not None
    view = shapes[checkpoint.shape][0]
    live_parked = await Projection(shard, shapes, store, metrics).parked()
    result = Verification(number, parked=len(state.parked))
    result.live_parked = len(live_parked)
    new = sorted(set(state.parked) - set(live_parked))
    if new and not accept_parked:
        result.problems.append(f"{len(new)} parked aggregates that live does not have: {new[0]}…")

    # Parked aggregates are excluded from all counts.
    parked_members = 0
    for id in state.parked:
        parked_members += await _is_member(store, shard, generation, id)
    counts = await log.type_counts(
        shard,
        checkpoint.position,
        [event.type for event in (*view.adds, *view.removes)],
        sorted(state.parked),
    )
    expected = sum(counts.get(event.type, 0) for event in view.adds)
    expected -= sum(counts.get(event.type, 0) for event in view.removes)
    if result.documents - parked_members != expected:
        result.problems.append(
            f"{result.documents - parked_members} ids instead of {expected} by the event log"
        )
    if view.size is not None:
        size = view.size(view.empty_part() if part is None else orjson.loads(part))
        if size - parked_members != expected:
            result.problems.append(
                f"the dashboard counts {size - parked_members} instead of {expected}"
            )

    ids = await _aggregates(log, shard, [event.type for event in view.adds], checkpoint.position)
    if sample is not None and len(ids) > sample:
        newest = ids[-max(sample // 10, 1) :]
        rest = ids[: len(ids) - len(newest)]
        ids = random.sample(rest, sample - len(newest)) + newest
    live = Inspection(shard, shapes, store, log, spare=False)
    of_spare = Inspection(shard, shapes, store, log, spare=True)
    live_checkpoint = await live.checkpoint()
    if live_checkpoint is not None and live_checkpoint.shape == checkpoint.shape:
        result.differ_from_live = 0
    for start in range(0, len(ids), MAX_BATCH):
        batch = ids[start : start + MAX_BATCH]
        inspected = await of_spare.inspect(batch)
        if inspected is None or inspected.checkpoint.generation != generation:
            break
        result.replayed += len(inspected.contents)
        result.problems += [
            f"{finding.id} {difference}"
            for finding in inspected.findings
            for difference in finding.differences
        ]
        if result.differ_from_live is not None:
            of_live = await live.inspect(batch)
            result.differ_from_live += len(of_live.findings) if of_live else 0
        progress(result.replayed, len(ids))
    return result


async def _is_member(store: Store, shard: str, generation: str, id: str) -> bool:
    key = generation_key(generation, ids_key(shard))
    reading = await store.read(
        shard, generation_key(generation, f"{{{shard}}}:none"), [], [(key, id)]
    )
    return reading is not None and reading.members[0]


async def _aggregates(log: PostgresEventLog, shard: str, types: list[str], upto: int) -> list[str]:
    """The aggregates that these events create, oldest first."""
    found: list[str] = []
    after = 0
    while page := await log.subjects(shard, after, upto, types, _PAGE):
        found += [subject for _, subject in page]
        after = page[-1][0]
    return found
