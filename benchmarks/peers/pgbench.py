"""The limit of a command: pgbench on the same server, one transaction per order.

It writes the same rows in as few statements as Tandem, and an outbox without gapless positions;
without HTTP, tokens, decisions in Python, or publishing.
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

from benchmarks.load.job import LoadFailed, LoadResult
from benchmarks.processes import measured
from deploy.local.ports import HOST
from deploy.local.secrets import ADMIN
from deploy.local.servers.postgres import binary
from tests.support.servers import Postgres

DATABASE: Final = "peers"
ROLE: Final = "peer"
# The duration of a run of pgbench includes the time that its clients need to connect.
_CONNECTIONS_PER_SECOND: Final = 64
_HERE: Final = Path(__file__).parent
_ID: Final = "('00000000-0000-7000-8000-' || lpad(to_hex(:{}::bigint), 12, '0'))::uuid"


async def create_peers_database(server: Postgres) -> None:
    """A separate database with customers 1 to 1000 and products 1 to 3000."""
    admin = await asyncpg.connect(server.url(database="postgres"))
    await admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
    await admin.execute(f"CREATE DATABASE {DATABASE}")
    await admin.execute(_create_role(server.passwords[ADMIN]))
    await admin.close()
    own = await asyncpg.connect(server.url(database=DATABASE))
    for statement in (_HERE / "shop.sql").read_text().split(";\n"):
        if statement.strip():
            await own.execute(statement)
    await own.close()


def _create_role(password: str) -> str:
    """With one SCRAM iteration: pgbench connects again for each run."""
    return f"""
        SET scram_iterations = 1;
        DROP ROLE IF EXISTS {ROLE};
        CREATE ROLE {ROLE} SUPERUSER LOGIN PASSWORD '{password}';
        RESET scram_iterations
    """


def numbered_id(number: int) -> str:
    """The id of the customer or product with this number in the peers' database."""
    return f"00000000-0000-7000-8000-{number:012x}"


async def run_pgbench(
    server: Postgres, clients: int, seconds: float, rate: float | None = None
) -> LoadResult:
    """Latencies start when a transaction was due; CPU time is that of pgbench and the server.

    The cost of connecting is left out. Raises LoadFailed if a transaction failed.
    """
    return await asyncio.to_thread(_measure, server, clients, seconds, rate)


def _measure(server: Postgres, clients: int, seconds: float, rate: float | None) -> LoadResult:
    duration = math.ceil(seconds + clients / _CONNECTIONS_PER_SECOND)
    _, connecting = _run(server, clients, ["-t", "1"])
    limit = ["-R", f"{rate:.1f}"] if rate else []
    logs, spent = _run(server, clients, ["-T", str(duration), *limit])
    rows = [line.split() for line in logs.splitlines()]
    if not rows:
        raise LoadFailed("pgbench ran no transaction: connecting took all of the time")
    ends = [int(row[4]) + int(row[5]) / 1e6 for row in rows]
    latencies = [int(row[2]) / 1e6 for row in rows]
    begun = min(map(float.__sub__, ends, latencies))
    return LoadResult(
        sorted(latencies), seconds=max(ends) - begun, cpu_seconds=max(spent - connecting, 0.01)
    )


def _run(server: Postgres, clients: int, limits: list[str]) -> tuple[str, float]:
    """Its log, a line per transaction, and the CPU seconds."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "place_order.sql").write_text(_script())
        command = [
            binary("pgbench"), "-n", "-M", "prepared", "-l", "--log-prefix", "log",
            "-f", "place_order.sql", "-c", str(clients), "-j", str(min(2, clients)), *limits,
            "-h", HOST, "-p", str(server.port), "-U", ROLE, DATABASE,
        ]  # fmt: skip
        with measured(server.pid or 0) as cpu, (directory / "output").open("wb") as output:
            process = subprocess.Popen(
                command,
                env={**os.environ, "PGPASSWORD": server.passwords[ADMIN]},
                cwd=directory,
                stdout=output,
                stderr=output,
            )
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
        text = (directory / "output").read_text()
        if process.returncode or "number of failed transactions: 0 " not in text:
            raise LoadFailed(f"pgbench: {text[-500:]}")
        logs = "".join(log.read_text() for log in directory.glob("log.*"))
        return logs, cpu.seconds + usage.ru_utime + usage.ru_stime


def _script() -> str:
    """With payloads as long as Tandem's events for such an order."""
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
    # pgbench reads a colon before a name as a variable; a space after the colon prevents that.
    return orjson.dumps(event).decode().replace(":", ": ")
