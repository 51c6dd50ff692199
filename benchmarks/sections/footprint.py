"""What an order costs for ever: memory and disk of the stores, memory of each process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.figures import Result, Row, times
from benchmarks.load.job import Job, run_job
from benchmarks.load.requests import place_orders
from benchmarks.processes import resident_bytes
from benchmarks.sections.section import Options
from benchmarks.sections.writes import CUSTOMERS, PRODUCTS
from benchmarks.world import BenchShop, World

_PROCESSES: Final = ("command-service", "relay", "projector", "query-service")
_CLIENTS: Final = 64
_FLAT: Final = 1.25


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes by store and by process, at so many orders."""

    orders: int
    stores: dict[str, int]
    processes: dict[str, int]


async def footprint(world: World, options: Options) -> Result:
    """Orders are placed by HTTP: an order leaves 4 events, and all that a batch leaves."""
    async with world.shop() as shop:
        await shop.filler.shop(CUSTOMERS, PRODUCTS)
        await shop.run(*_PROCESSES)
        await shop.level()
        authorization = world.identity.headers()["Authorization"]
        orders = place_orders(shop.filler.customers, shop.filler.products, authorization)
        job = Job(shop.stack["command-service"].port, orders, _CLIENTS, options.seconds)
        sizes: list[Size] = []
        for _ in range(4):
            await run_job(job)
            await shop.level()
            sizes.append(await _size(world, shop))
            options.say(f"{sizes[-1].orders:,} orders")
    return Result(_rows(sizes))


async def _size(world: World, shop: BenchShop) -> Size:
    orders: int = await shop.admin.fetchval("SELECT count(*) FROM orders")
    memory = await shop.redis.info("memory")
    return Size(
        orders,
        {
            "PostgreSQL, disk": await shop.admin.fetchval(
                "SELECT pg_database_size(current_database())"
            ),
            "Kafka, disk": await asyncio.to_thread(_topics_bytes, world.kafka.data_dir / "logs"),
            "Redis, memory": int(memory["used_memory_dataset"]),
        },
        {name: resident_bytes(shop.pid(name)) for name in _PROCESSES},
    )


def _topics_bytes(logs: Path) -> int:
    segments = [
        path for topic in ("users", "products", "orders") for path in logs.glob(f"{topic}-*/*.log")
    ]
    return sum(path.stat().st_size for path in segments)


def _rows(sizes: list[Size]) -> list[Row]:
    """The first size is the warm-up's; the second half of what came since against the first."""
    _, begin, middle, end = sizes
    rows = []
    for store in end.stores:
        before, after = _each(begin, middle, store), _each(middle, end, store)
        ratio = after / before if before > 0 else 1.0
        limit = f"{before:,.0f} bytes before"
        rows.append(
            Row(
                f"{store} of an order",
                f"{after:,.0f} bytes",
                limit,
                times(ratio),
                "flat",
                ratio <= _FLAT,
            )
        )
    for name in end.processes:
        before, after = (size.processes[name] / 1e6 for size in (begin, end))
        limit = f"{before:.0f} MB at {begin.orders:,}"
        measure = f"memory of the {name}, {end.orders:,} orders"
        ratio = after / before
        rows.append(Row(measure, f"{after:.0f} MB", limit, times(ratio), "flat", ratio <= _FLAT))
    return rows


def _each(smaller: Size, larger: Size, store: str) -> float:
    return (larger.stores[store] - smaller.stores[store]) / (larger.orders - smaller.orders)
