"""A list page, a search and the dashboard at half load, with few orders and with many."""

from dataclasses import dataclass, replace
from typing import Final

from benchmarks.figures import Result, Row, middle, ms, rate, times
from benchmarks.load.job import Job, percentile, run_job
from benchmarks.load.requests import get
from benchmarks.processes import measured
from benchmarks.sections.section import Options
from benchmarks.world import BenchShop, World

_CLIENTS: Final = 16
_MOST_CLIENTS: Final = 128
_CUSTOMERS: Final = 2000
_PRODUCTS: Final = 3000
_P99_S: Final = 0.020
_FLAT: Final = 1.5
_LONGEST_FILL_S: Final = 1800.0
_PATHS: Final = {
    "list page": ("/v1/orders?limit=50", "/v1/orders?status=placed&limit=50"),
    "search": ("/v1/products?q=gre%20tea", "/v1/products?q=coff", "/v1/products?q=oak"),
    "dashboard": ("/v1/dashboard",),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """`rate` is half of the capacity by the clock, at which `p99` (seconds) was measured."""

    orders: int
    per_core: float
    rate: float
    p99: float


async def lists(world: World, options: Options) -> Result:
    """Orders come into the log directly, and from there through Kafka into the views."""
    readings: dict[str, list[Reading]] = {name: [] for name in _PATHS}
    async with world.shop() as shop:
        await shop.filler.shop(_CUSTOMERS, _PRODUCTS)
        await shop.run("relay", "projector", "query-service")
        for orders in options.orders:
            options.say(f"{orders:,} orders into the views")
            await shop.filler.place(orders - len(shop.filler.orders), lines=1, reserve=False)
            await shop.level(_LONGEST_FILL_S)
            for name in _PATHS:
                readings[name].append(await _read(world, shop, name, options))
                told = readings[name][-1]
                options.say(f"{name}: p99 {ms(told.p99)} at {rate(told.rate)}")
    return Result([row for name, of_name in readings.items() for row in _rows(name, of_name)])


async def _read(world: World, shop: BenchShop, name: str, options: Options) -> Reading:
    authorization = world.identity.headers()["Authorization"]
    requests = [get(path, authorization) for path in _PATHS[name]]
    job = Job(shop.stack["query-service"].port, requests, _CLIENTS, options.seconds)
    with measured(shop.pid("query-service")) as cpu:
        most = await run_job(job)
    half = replace(job, clients=_MOST_CLIENTS, rate=most.rate / 2)
    rounds = range(max(1, options.rounds - 1))
    p99s = [percentile((await run_job(half)).latencies, 0.99) for _ in rounds]
    per_core = len(most.latencies) / cpu.seconds
    return Reading(len(shop.filler.orders), per_core, most.rate / 2, middle(p99s))


def _rows(name: str, readings: list[Reading]) -> list[Row]:
    rows = [
        Row(
            f"{name}, {reading.orders:,} orders, p99",
            ms(reading.p99),
            f"at {rate(reading.rate)}, half of its capacity",
            "",
            f"≤ {ms(_P99_S)}",
            reading.p99 <= _P99_S,
        )
        for reading in readings
    ]
    first, last = readings[0], readings[-1]
    if last.orders > first.orders:
        ratio = first.per_core / last.per_core
        figure, few = (f"{1e6 / reading.per_core:.0f} µs" for reading in (last, first))
        limit = f"{few} at {first.orders:,}"
        name = f"{name}, CPU each, {last.orders:,} orders"
        rows.append(Row(name, figure, limit, times(ratio), "the same", ratio <= _FLAT))
    return rows
