"""A list page, a search and the dashboard at half of the capacity, by number of orders."""

from dataclasses import dataclass, replace
from statistics import median
from typing import Final

from benchmarks.load.job import Job, percentile, run_job
from benchmarks.load.requests import get
from benchmarks.processes import measured
from benchmarks.results import Result, Row, ms, rate, times
from benchmarks.sections.section import Options
from benchmarks.servers import BenchmarkStack, Servers

_CLIENTS: Final = 16
_MAX_CLIENTS: Final = 128
_CUSTOMERS: Final = 2000
_PRODUCTS: Final = 3000
_P99_S: Final = 0.020
_FLAT: Final = 1.5
_LOAD_TIMEOUT_S: Final = 1800.0
_PATHS: Final = {
    "list page": ("/v1/orders?limit=50", "/v1/orders?status=placed&limit=50"),
    "search": ("/v1/products?q=gre%20tea", "/v1/products?q=coff", "/v1/products?q=oak"),
    "dashboard": ("/v1/dashboard",),
}


@dataclass(frozen=True, slots=True)
class Reading:
    """`rate` is half of the capacity (requests per second), at which `p99` (s) was measured."""

    orders: int
    per_core: float
    rate: float
    p99: float


async def lists(servers: Servers, options: Options) -> Result:
    """Orders are loaded into the event log, and reach the views through Kafka."""
    readings: dict[str, list[Reading]] = {name: [] for name in _PATHS}
    async with servers.new_stack() as stack:
        await stack.loader.load_shop(_CUSTOMERS, _PRODUCTS)
        await stack.start("relay", "projector", "query-service")
        for orders in options.orders:
            options.report(f"{orders:,} orders into the views")
            await stack.loader.load_orders(
                orders - len(stack.loader.orders), lines=1, reserve=False
            )
            await stack.wait_caught_up(_LOAD_TIMEOUT_S)
            for name in _PATHS:
                readings[name].append(await _read(servers, stack, name, options))
                last = readings[name][-1]
                options.report(f"{name}: p99 {ms(last.p99)} at {rate(last.rate)}")
    return Result([row for name, of_name in readings.items() for row in _rows(name, of_name)])


async def _read(servers: Servers, stack: BenchmarkStack, name: str, options: Options) -> Reading:
    authorization = servers.identity.headers()["Authorization"]
    requests = [get(path, authorization) for path in _PATHS[name]]
    job = Job(stack.processes["query-service"].port, requests, _CLIENTS, options.seconds)
    with measured(stack.pid("query-service")) as cpu:
        full = await run_job(job)
    half = replace(job, clients=_MAX_CLIENTS, rate=full.rate / 2)
    rounds = range(max(1, options.rounds - 1))
    p99s = [percentile((await run_job(half)).latencies, 0.99) for _ in rounds]
    per_core = len(full.latencies) / cpu.seconds
    return Reading(len(stack.loader.orders), per_core, full.rate / 2, median(p99s))


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
        name = f"{name}, CPU per request, {last.orders:,} orders"
        rows.append(Row(name, figure, limit, times(ratio), "the same", ratio <= _FLAT))
    return rows
