"""The time from a command's response until a read returns its effect, at half capacity."""

from dataclasses import replace
from statistics import median
from typing import Final

from benchmarks.load.job import Job, LoadResult, ReadAfterWrite, percentile, run_job
from benchmarks.load.requests import place_orders
from benchmarks.results import Result, Row, ms, rate
from benchmarks.sections.section import Options
from benchmarks.sections.writes import CUSTOMERS, PRODUCTS
from benchmarks.servers import BenchmarkStack, Servers

_CLIENTS: Final = 64
_MAX_CLIENTS: Final = 256
_READS_PER_SECOND: Final = 150
_SHARES: Final = (0.5, 0.99)
_P50_S: Final = 0.010
_P99_S: Final = 0.050


async def visibility(servers: Servers, options: Options) -> Result:
    """Some of the orders are read with their tokens immediately."""
    async with servers.new_stack() as stack:
        await stack.loader.load_shop(CUSTOMERS, PRODUCTS)
        await stack.start("command-service", "relay", "projector", "query-service")
        await stack.wait_caught_up()
        authorization = servers.identity.headers()["Authorization"]
        orders = place_orders(stack.loader.customers, stack.loader.products, authorization)
        job = Job(stack.processes["command-service"].port, orders, _CLIENTS, options.seconds)
        capacity = await _capacity(stack, job, options)
        reads = ReadAfterWrite(
            port=stack.processes["query-service"].port,
            every=max(1, round(capacity / 2 / _READS_PER_SECOND)),
            authorization=authorization.encode(),
        )
        half = replace(job, clients=_MAX_CLIENTS, rate=capacity / 2, read_after_write=reads)
        results: list[LoadResult] = []
        for number in range(options.rounds):
            results.append(await run_job(half))
            await stack.wait_caught_up()
            p50, p99 = (percentile(results[-1].visible, share) for share in _SHARES)
            options.report(f"round {number + 1}: p50 {ms(p50)}, p99 {ms(p99)}")
    return Result(_rows(results, capacity))


async def _capacity(stack: BenchmarkStack, job: Job, options: Options) -> float:
    rates = []
    for _ in range(options.rounds):
        rates.append((await run_job(job)).rate)
        await stack.wait_caught_up()
    capacity = median(rates)
    options.report(f"write capacity {rate(capacity)} by wall clock")
    return capacity


def _rows(results: list[LoadResult], capacity: float) -> list[Row]:
    p50, p99 = (median(percentile(f.visible, share) for f in results) for share in _SHARES)
    since = [
        median(percentile(f.visible_since_due, share) for f in results) for share in (0.5, 0.99)
    ]
    at = f"at {rate(capacity / 2)} of {rate(capacity)}"
    return [
        Row("commit to visible, p50", ms(p50), at, "", f"≤ {ms(_P50_S)}", p50 <= _P50_S),
        Row("commit to visible, p99", ms(p99), at, "", f"≤ {ms(_P99_S)}", p99 <= _P99_S),
        Row(
            "the same from the due time",
            f"p50 {ms(since[0])}, p99 {ms(since[1])}",
            at,
        ),
    ]
