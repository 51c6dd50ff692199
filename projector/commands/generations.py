"""`generations`, `rebuild`, `rollback` and `drop`: the generations of the shards' views."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from projector.commands.context import CommandContext, UsageError
from projector.commands.output import DONE, REJECTED
from projector.commands.progress import ProgressReport
from projector.fold import TooManyParked
from projector.rebuild import Generations, Rejected
from projector.spare import SpareGone
from projector.views.registry import UnknownShape
from shared.contracts.views import Spare, decode_parked, generation_key, parked_key
from shared.event_log import LogDivergence

_COLUMNS: Final = (
    *("SHARD", "LIVE", "SHAPE", "POSITION", "LAG", "PARKED"),
    *("SPARE", "STATE", "SPARE_SHAPE", "SPARE_POSITION", "SINCE"),
)


@dataclass(frozen=True, slots=True)
class RebuildOptions:
    """`sample`: aggregates to replay, None for all; `shape`: None for the newest."""

    at_once: int
    shape: int | None
    sample: int | None
    again: bool
    accept_parked: bool
    switch: bool


async def list_generations(context: CommandContext, shards: Sequence[str]) -> int:
    """One row per shard."""
    rows: list[dict[str, Any]] = []
    heads = await context.log.heads(context.shards(shards))
    for shard in context.shards(shards):
        try:
            found = await _generations(context, shard).load()
        except Rejected:
            rows.append({name.lower(): None for name in _COLUMNS} | {"shard": shard})
            continue
        live, spare = found.live, found.spare
        name = generation_key(live.generation, parked_key(shard))
        _, (parked,) = await context.store.load(shard, [name])
        rows.append(
            {
                "shard": shard,
                "live": live.generation,
                "shape": live.shape,
                "position": live.position,
                "lag": max(heads[shard] - live.position, 0),
                "parked": len(decode_parked(parked)),
                "spare": spare.checkpoint.generation if spare else None,
                "state": spare.state if spare else None,
                "spare_shape": spare.checkpoint.shape if spare else None,
                "spare_position": spare.checkpoint.position if spare else None,
                "since": _since(spare),
            }
        )
    context.output.table(_COLUMNS, rows)
    return DONE


async def rebuild(context: CommandContext, shards: Sequence[str], options: RebuildOptions) -> int:
    """Builds, verifies and cuts over each shard."""
    names = context.shards(shards)
    progress = ProgressReport(context.output)
    started = time.monotonic()
    if options.switch:
        await asyncio.gather(
            *(
                _generations(context, shard).wait_for_owner(
                    _shape(context, shard, options), _waiting(context, shard)
                )
                for shard in names
            )
        )
    with progress.running():
        status, events = await _each(
            context,
            names,
            options.at_once,
            lambda shard: _rebuild_shard(context, shard, options, progress),
        )
    seconds = time.monotonic() - started
    context.output.line(
        f"{len(names)} shards, {events:,} events, {seconds:,.0f} s."
        + (" To roll back: python -m projector rollback" if options.switch else ""),
        shards=len(names),
        events=events,
        seconds=round(seconds, 1),
    )
    return status


async def rollback(context: CommandContext, shards: Sequence[str], *, forward: bool) -> int:
    async def roll_back(shard: str) -> int:
        found = await _generations(context, shard).roll_back(
            forward=forward, wait=_waiting(context, shard)
        )
        if found is None:
            context.output.line(f"{shard}  unchanged", shard=shard, state="unchanged")
        else:
            context.output.line(
                f"{shard}  rolled {'forward' if forward else 'back'} to {found.after} at "
                f"{found.position:,}; {found.before} is kept",
                shard=shard,
                state="rolled forward" if forward else "rolled back",
                live=found.after,
                kept=found.before,
                position=found.position,
            )
        return 0

    names = context.shards(shards)
    status, _ = await _each(context, names, len(names), roll_back)
    return status


async def drop(context: CommandContext, shards: Sequence[str]) -> int:
    """Drops the spares; the owners of the shards delete their keys."""

    async def drop_shard(shard: str) -> int:
        name = await _generations(context, shard).drop()
        text = f"{shard}  no spare" if name is None else f"{shard}  dropped {name}"
        context.output.line(text, shard=shard, dropped=name)
        return 0

    status, _ = await _each(context, context.shards(shards), 4, drop_shard)
    return status


async def _rebuild_shard(
    context: CommandContext, shard: str, options: RebuildOptions, progress: ProgressReport
) -> int:
    """Returns the position, which is the number of events."""
    generations, output = _generations(context, shard), context.output
    spare = await generations.create(_shape(context, shard, options), again=options.again)
    if spare is None:
        output.line(
            f"{shard}  unchanged: a generation is kept (--again replaces it)",
            shard=shard,
            state="unchanged",
        )
        return 0
    name = spare.checkpoint.generation
    report = progress.of(shard, "building")
    building = await generations.build(name, report)
    if building:
        try:
            result = await generations.verify(
                name,
                sample=options.sample,
                accept_parked=options.accept_parked,
                progress=progress.of(shard, "verifying"),
            )
        except SpareGone:
            raise Rejected(f"{shard}: another process dropped the spare or cut it over") from None
        if result.problems:
            for problem in result.problems[:20]:
                output.line(f"{shard}  not verified: {problem}", shard=shard, problem=problem)
            raise Rejected(f"{shard}: not verified; the spare {name} remains")
        differ = result.differ_from_live
        output.line(
            f"{shard}  verified  {result.documents:,} documents, count matches; "
            f"{result.replayed:,} replayed, equal; "
            + ("" if differ is None else f"{differ:,} of them differ from live; ")
            + f"parked {result.parked}, live {result.live_parked}",
            shard=shard,
            state="verified",
            documents=result.documents,
            replayed=result.replayed,
            differ_from_live=differ,
            parked=result.parked,
            live_parked=result.live_parked,
        )
    if not options.switch:
        return (await generations.load()).live.position
    await generations.wait_for_owner(spare.checkpoint.shape, _waiting(context, shard))
    found = await generations.cut_over(name, accept_parked=options.accept_parked)
    output.line(
        f"{shard}  cut over  {found.before} to {found.after} at {found.position:,}; "
        f"{found.before} is kept",
        shard=shard,
        state="cut over",
        live=found.after,
        kept=found.before,
        position=found.position,
    )
    return found.position


async def _each(
    context: CommandContext,
    shards: Sequence[str],
    at_once: int,
    work: Callable[[str], Awaitable[int]],
) -> tuple[int, int]:
    """The status, and the sum of the results. A rejected shard does not stop the others."""
    slots = asyncio.Semaphore(at_once)

    async def one(shard: str) -> tuple[int, int]:
        async with slots:
            try:
                return DONE, await work(shard)
            except (Rejected, UnknownShape, LogDivergence, TooManyParked) as error:
                context.output.line(f"{shard}  rejected: {error}", shard=shard, error=str(error))
                return REJECTED, 0

    results = await asyncio.gather(*map(one, shards))
    return max((status for status, _ in results), default=DONE), sum(n for _, n in results)


def _generations(context: CommandContext, shard: str) -> Generations:
    return Generations(shard, context.shapes(shard), context.store, context.log, context.metrics)


def _shape(context: CommandContext, shard: str, options: RebuildOptions) -> int:
    """Raises UsageError for an unknown shape."""
    shapes = context.shapes(shard)
    shape = max(shapes) if options.shape is None else options.shape
    if shape not in shapes:
        raise UsageError(f"{shard} has no shape {shape}")
    return shape


def _waiting(context: CommandContext, shard: str) -> Callable[[str], None]:
    def report(text: str) -> None:
        context.output.line(f"waiting: {text}", shard=shard, state="waiting", reason=text)

    return report


def _since(spare: Spare | None) -> str | None:
    if spare is None:
        return None
    return datetime.fromtimestamp(spare.since_ms / 1000, UTC).strftime("%Y-%m-%d %H:%M")
