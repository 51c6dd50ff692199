"""The limit of a command: pgbench on the same server, one transaction for each order.

The same rows, written by statements as few as Tandem's own, and an outbox without dense positions;
no HTTP, no tokens, no decisions in Python, nobody who publishes.
"""

import asyncio
import math
import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

import asyncpg
import orjson

from benchmarks.load.job import Found, LoadFailed
from benchmarks.processes import measured
from deploy.local.ports import HOST
from deploy.local.secrets import ADMIN
from deploy.local.servers.postgres import binary
from tests.support.servers import Postgres

DATABASE: Final = "peers"
ROLE: Final = "peer"
# pgbench counts the time that its clients need to connect: a second for so many.
_CONNECTED_IN_A_SECOND: Final = 64
_HERE: Final = Path(__file__).parent
_ID: Final = "('00000000-0000-7000-8000-' || lpad(to_hex(:{}::bigint), 12, '0'))::uuid"


async def make_peers_database(server: Postgres) -> None:
    """Customers 1 to 1000 and products 1 to 3000, in a database of their own."""
    admin = await asyncpg.connect(server.url(database="postgres"))
    await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {DATABASE}")
    await admin.execute(_make_role(server.passwords[ADMIN]))
    await admin.close()
    own = await asyncpg.connect(server.url(database=DATABASE))
    for statement in (_HERE / "shop.sql").read_text().split(";\n"):
        if statement.strip():
            await own.execute(statement)
    await own.close()


def _make_role(password: str) -> str:
    """Whoever connects for each run must not pay thousands of hashes for it."""
    return f"""
        SET scram_iterations = 1;
        DROP ROLE IF EXISTS {ROLE};
        CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{password}';
        RESET scram_iterations
    """


def numbered_id(number: int) -> str:
    """The id of that customer or product in the peers' database."""
    return f"00000000-0000-7000-8000-{number:012x}"


async def run_pgbench(
    server: Postgres, clients: int, seconds: float, rate: float | None = None
) -> Found:
    """Latencies count from when a transaction was due; CPU is pgbench's and the server's.

    What connecting costs is left out. Raises LoadFailed if a transaction failed.
    """
    return await asyncio.to_thread(_measure, server, clients, seconds, rate)


def _measure(server: Postgres, clients: int, seconds: float, rate: float | None) -> Found:
    lasts = math.ceil(seconds + clients / _CONNECTED_IN_A_SECOND)
    _, connecting = _run(server, clients, ["-t", "1"])
    limit = ["-R", f"{rate:.1f}"] if rate else []
    logs, spent = _run(server, clients, ["-T", str(lasts), *limit])
    rows = [line.split() for line in logs.splitlines()]
    if not rows:
        raise LoadFailed("pgbench had no time for a transaction: its clients took all to connect")
    ends = [int(row[4]) + int(row[5]) / 1e6 for row in rows]
    latencies = [int(row[2]) / 1e6 for row in rows]
    begun = min(map(float.__sub__, ends, latencies))
    return Found(
        sorted(latencies), seconds=max(ends) - begun, cpu_seconds=max(spent - connecting, 0.01)
    )


def _run(server: Postgres, clients: int, limits: list[str]) -> tuple[str, float]:
    """What it logs, a line for each transaction, and the CPU seconds."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "place_order.sql").write_text(_script())
        command = [
            binary("pgbench"), "-n", "-M", "prepared", "-l", "--log-prefix", "log",
            "-f", "place_order.sql", "-c", str(clients), "-j", str(min(2, clients)), *limits,
            "-h", HOST, "-p", str(server.port), "-U", ROLE, DATABASE,
        ]  # fmt: skip
        with measured(server.pid or 0) as cpu, (directory / "said").open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, "PGPASSWORD": server.passwords[ADMIN]},
                cwd=directory,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        said = (directory / "said").read_text()
        if process.returncode or "number of failed transactions: 0 " not in said:
            raise LoadFailed(f"pgbench: {said[-500:]}")
        logs = "".join(log.read_text() for log in directory.glob("log.*"))
        return logs, cpu.seconds + usage.ru_utime + usage.ru_stime


def _script() -> str:
    """Payloads as long as Tandem's events of such an order."""
    id = numbered_id(1)
    money = {"amount": 250, "currency": "EUR"}
    item = {"product_id": id, "name": "Product 1000", "quantity": 3, "unit_price": money}
    order = {
        "id": id,
        "version": 1,
        "customer_id": id,
        "customer_name": "Customer 1",
        "items": [item] * 3,
        "total": money,
        "shipping_address": "1 Main Street, 12345 Springfield",
    }
    reserved = {"id": id, "version": 1, "order_id": id, "quantity": 3, "stock": 499_999_999}
    values = {name: _ID.format(name) for name in ("customer", "first", "second", "third")}
    values |= {"order_placed": _literal(order), "product_reserved": _literal(reserved)}
    text = (_HERE / "place_order.sql").read_text()
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", value)
    return text


def _literal(event: object) -> str:
    # pgbench takes a colon before a name for one of its variables, a blank after it prevents that.
    return orjson.dumps(event).decode().replace(":", ": ")
