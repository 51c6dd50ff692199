"""Two relays and two projectors against one of each: CPU seconds for the same events."""

from typing import Final

from benchmarks.figures import Result, Row, middle, times
from benchmarks.processes import measured
from benchmarks.sections.section import Options
from benchmarks.world import BenchShop, World
from tests.support.waiting import until

_KINDS: Final = ("relay", "projector")
_NO_HIGHER: Final = 1.1


async def scaling(world: World, options: Options) -> Result:
    """They share the partitions before the events come, all at once."""
    spent: dict[tuple[str, int], list[float]] = {}
    for number in range(max(1, options.rounds - 1)):
        for count in (1, 2):
            for kind, micros in (await _each(world, count, options.events // 4)).items():
                spent.setdefault((kind, count), []).append(micros)
                options.say(f"round {number + 1}: {count} × {kind}: {micros:.1f} µs an event")
    return Result([_row(kind, spent) for kind in _KINDS])


async def _each(world: World, count: int, events: int) -> dict[str, float]:
    """CPU microseconds for each event, by kind of process."""
    async with world.shop() as shop:
        await shop.filler.shop(1000, 3000)
        names = {kind: [kind, f"{kind}-2"][:count] for kind in _KINDS}
        await shop.run(*names["relay"], *names["projector"])
        await shop.level()
        await _shared(shop, count)
        relays, projectors = (map(shop.pid, names[kind]) for kind in _KINDS)
        before = shop.filler.events
        with measured(*relays) as of_relays, measured(*projectors) as of_projectors:
            await shop.filler.place(events // 4)
            await shop.level()
        done = shop.filler.events - before
        spent = {"relay": of_relays.seconds, "projector": of_projectors.seconds}
        return {kind: 1e6 * seconds / done for kind, seconds in spent.items()}


async def _shared(shop: BenchShop, count: int) -> None:
    """Every relay holds its share of the leases."""

    async def owned() -> bool:
        owners = await shop.admin.fetchval("SELECT count(DISTINCT owner) FROM relay_cursors")
        return bool(owners == count)

    await until(owned, "the relays share the shards")


def _row(kind: str, spent: dict[tuple[str, int], list[float]]) -> Row:
    one, two = (middle(spent[kind, count]) for count in (1, 2))
    ratio = two / one
    return Row(
        f"2 {kind}s, CPU of an event",
        f"{two:.1f} µs",
        f"1 {kind} {one:.1f} µs",
        times(ratio),
        "no higher",
        ratio <= _NO_HIGHER,
    )
