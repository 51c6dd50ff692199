"""The CPU time of two relays and two projectors, compared with one of each."""

from statistics import median
from typing import Final

from benchmarks.processes import measured
from benchmarks.results import Result, Row, times
from benchmarks.sections.section import Options
from benchmarks.servers import BenchmarkStack, Servers
from tests.support.waiting import until

_KINDS: Final = ("relay", "projector")
_MAX_RATIO: Final = 1.1


async def scaling(servers: Servers, options: Options) -> Result:
    """The processes share the partitions before the events are loaded."""
    spent: dict[tuple[str, int], list[float]] = {}
    for number in range(max(1, options.rounds - 1)):
        for count in (1, 2):
            for kind, micros in (await _cpu_per_event(servers, count, options.events // 4)).items():
                spent.setdefault((kind, count), []).append(micros)
                options.report(f"round {number + 1}: {count} × {kind}: {micros:.1f} µs per event")
    return Result([_row(kind, spent) for kind in _KINDS])


async def _cpu_per_event(servers: Servers, count: int, events: int) -> dict[str, float]:
    """CPU microseconds per event, by kind of process."""
    async with servers.new_stack() as stack:
        await stack.loader.load_shop(1000, 3000)
        names = {kind: [kind, f"{kind}-2"][:count] for kind in _KINDS}
        await stack.start(*names["relay"], *names["projector"])
        await stack.wait_caught_up()
        await _wait_leases_shared(stack, count)
        relays, projectors = (map(stack.pid, names[kind]) for kind in _KINDS)
        before = stack.loader.events
        with measured(*relays) as relay_cpu, measured(*projectors) as projector_cpu:
            await stack.loader.load_orders(events // 4)
            await stack.wait_caught_up()
        done = stack.loader.events - before
        spent = {"relay": relay_cpu.seconds, "projector": projector_cpu.seconds}
        return {kind: 1e6 * seconds / done for kind, seconds in spent.items()}


async def _wait_leases_shared(stack: BenchmarkStack, count: int) -> None:
    """Returns when every relay has leases."""

    async def owned() -> bool:
        owners = await stack.admin.fetchval("SELECT count(DISTINCT owner) FROM relay_cursors")
        return bool(owners == count)

    await until(owned, "the relays share the shards")


def _row(kind: str, spent: dict[tuple[str, int], list[float]]) -> Row:
    one, two = (median(spent[kind, count]) for count in (1, 2))
    ratio = two / one
    return Row(
        f"2 {kind}s, CPU per event",
        f"{two:.1f} µs",
        f"1 {kind} {one:.1f} µs",
        times(ratio),
        "no higher",
        ratio <= _MAX_RATIO,
    )
