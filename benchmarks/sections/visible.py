"""From a command's answer until a read shows what it did, at half of the write capacity."""

from dataclasses import replace
from typing import Final

from benchmarks.figures import Result, Row, middle, ms, rate
from benchmarks.load.job import Follow, Found, Job, percentile, run_job
from benchmarks.load.requests import place_orders
from benchmarks.sections.section import Options
from benchmarks.sections.writes import CUSTOMERS, PRODUCTS
from benchmarks.world import BenchShop, World

_CLIENTS: Final = 64
_MOST_CLIENTS: Final = 256
_READS_A_SECOND: Final = 150
_P50_S: Final = 0.010
_P99_S: Final = 0.050


async def visible(world: World, options: Options) -> Result:
    """Some of the orders are read with their tokens, at once: the answer comes from the view."""
    async with world.shop() as shop:
        await shop.filler.shop(CUSTOMERS, PRODUCTS)
        await shop.run("command-service", "relay", "projector", "query-service")
        await shop.level()
        authorization = world.identity.headers()["Authorization"]
        orders = place_orders(shop.filler.customers, shop.filler.products, authorization)
        job = Job(shop.stack["command-service"].port, orders, _CLIENTS, options.seconds)
        capacity = await _capacity(shop, job, options)
        follow = Follow(
            port=shop.stack["query-service"].port,
            every=max(1, round(capacity / 2 / _READS_A_SECOND)),
            authorization=authorization.encode(),
        )
        half = replace(job, clients=_MOST_CLIENTS, rate=capacity / 2, follow=follow)
        found: list[Found] = []
        for number in range(options.rounds):
            found.append(await run_job(half))
            await shop.level()
            p50, p99 = (percentile(found[-1].visible, share) for share in (0.5, 0.99))
            options.say(f"round {number + 1}: p50 {ms(p50)}, p99 {ms(p99)}")
    return Result(_rows(found, capacity))


async def _capacity(shop: BenchShop, job: Job, options: Options) -> float:
    rates = []
    for _ in range(options.rounds):
        rates.append((await run_job(job)).rate)
        await shop.level()
    capacity = middle(rates)
    options.say(f"write capacity {rate(capacity)} by the clock")
    return capacity


def _rows(found: list[Found], capacity: float) -> list[Row]:
    p50, p99 = (middle(percentile(f.visible, share) for f in found) for share in (0.5, 0.99))
    since = [middle(percentile(f.visible_since_due, share) for f in found) for share in (0.5, 0.99)]
    at = f"at {rate(capacity / 2)} of {rate(capacity)}"
    return [
        Row("commit to visible, p50", ms(p50), at, "", f"≤ {ms(_P50_S)}", p50 <= _P50_S),
        Row("commit to visible, p99", ms(p99), at, "", f"≤ {ms(_P99_S)}", p99 <= _P99_S),
        Row("from when the command was due", f"p50 {ms(since[0])}, p99 {ms(since[1])}", at),
    ]
