"""The storage that an order takes, and the memory of each process."""

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.load.job import Job, run_job
from benchmarks.load.requests import place_orders
from benchmarks.processes import resident_bytes
from benchmarks.results import Result, Row, times
from benchmarks.sections.section import Options
from benchmarks.sections.writes import CUSTOMERS, PRODUCTS
from benchmarks.servers import BenchmarkStack, Servers

_PROCESSES: Final = ("command-service", "relay", "projector", "query-service")
_CLIENTS: Final = 64
_FLAT: Final = 1.25


@dataclass(frozen=True, slots=True)
class Size:
    """Bytes by store and by process at a number of orders."""

    orders: int
    stores: dict[str, int]
    processes: dict[str, int]


async def footprint(servers: Servers, options: Options) -> Result:
    """Orders are placed by HTTP, each with 4 events and its share of a batch."""
    async with servers.new_stack() as stack:
        await stack.loader.load_shop(CUSTOMERS, PRODUCTS)
        await stack.start(*_PROCESSES)
        await stack.wait_caught_up()
        authorization = servers.identity.headers()["Authorization"]
        orders = place_orders(stack.loader.customers, stack.loader.products, authorization)
        job = Job(stack.processes["command-service"].port, orders, _CLIENTS, options.seconds)
        sizes: list[Size] = []
        for _ in range(4):
            await run_job(job)
            await stack.wait_caught_up()
            sizes.append(await _size(servers, stack))
            options.report(f"{sizes[-1].orders:,} orders")
    return Result(_rows(sizes))


async def _size(servers: Servers, stack: BenchmarkStack) -> Size:
    orders: int = await stack.admin.fetchval("SELECT count(*) FROM orders")
    memory = await stack.redis.info("memory")
    return Size(
        orders,
        {
            "PostgreSQL, disk": await stack.admin.fetchval(
                "SELECT pg_database_size(current_database())"
            ),
            "Kafka, disk": await asyncio.to_thread(_topic_bytes, servers.kafka.data_dir / "logs"),
            "Redis, memory": int(memory["used_memory_dataset"]),
        },
        {name: resident_bytes(stack.pid(name)) for name in _PROCESSES},
    )


def _topic_bytes(logs: Path) -> int:
    segments = [
        path for topic in ("users", "products", "orders") for path in logs.glob(f"{topic}-*/*.log")
    ]
    return sum(path.stat().st_size for path in segments)


def _rows(sizes: list[Size]) -> list[Row]:
    """The first size is a warm-up; the growth in the second half is compared with the first."""
    _, begin, halfway, end = sizes
    rows = []
    for store in end.stores:
        before, after = (
            _bytes_per_order(begin, halfway, store),
            _bytes_per_order(halfway, end, store),
        )
        ratio = after / before if before > 0 else 1.0
        limit = f"{before:,.0f} bytes before"
        rows.append(
            Row(
                f"{store} per order",
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


def _bytes_per_order(smaller: Size, larger: Size, store: str) -> float:
    return (larger.stores[store] - smaller.stores[store]) / (larger.orders - smaller.orders)
