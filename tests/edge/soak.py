"""`python -m tests.edge.soak --seconds 600`: all attacks at once beside honest load.

Prints the latency and statuses of the honest requests, the memory of each process over time, and
what the services rejected. Exit status 1 if an honest client got another's bytes, a 5xx other than
503, or a wrong document.
"""

import argparse
import asyncio
import json
import random
import statistics
import sys
import tempfile
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psutil

from deploy.local.ports import free_ports
from deploy.local.secrets import new_passwords
from deploy.local.services import LOCAL_LIMITS
from tests.support.database import make_database, make_template
from tests.support.identity import Identity
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.shop import Shop
from tests.support.stack import Stack

_PROCESSES = ("command-service", "relay", "projector", "query-service")
_PRODUCTS = 300
_READERS = 4
_READ_PAUSE_S = 0.05
_WRITE_PAUSE_S = 0.2
_SAMPLE_S = 10


class LimitedStack(Stack):
    """With the limits of production."""

    def _environment(self, kind: str) -> dict[str, str]:
        environment = super()._environment(kind)
        return {name: value for name, value in environment.items() if name not in LOCAL_LIMITS}


@dataclass
class Honest:
    """What the honest clients observed."""

    statuses: Counter[str] = field(default_factory=Counter)
    read_s: list[float] = field(default_factory=list)
    write_s: list[float] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    def check(self, response: httpx.Response, trace: str, kind: str) -> None:
        self.statuses[f"{kind} {response.status_code}"] += 1
        if response.headers.get("traceparent") != trace:
            self.wrong.append(f"{kind}: the response to another request")
        if response.status_code >= 500 and response.status_code != 503:
            self.wrong.append(f"{kind}: {response.status_code}")


def _trace() -> str:
    return f"00-{random.getrandbits(128):032x}-{random.getrandbits(64):016x}-01"


async def _read(honest: Honest, stack: Stack, user: str, name: str) -> None:
    headers = stack.identity.headers(user, "users:read")
    url = f"{stack['query-service'].url}/v1/users/{user}"
    async with httpx.AsyncClient(headers=headers, timeout=20) as client:
        while True:
            trace, started = _trace(), time.perf_counter()
            try:
                response = await client.get(url, headers={"traceparent": trace})
            except httpx.TransportError as error:
                honest.statuses[f"read {type(error).__name__}"] += 1
                continue
            honest.read_s.append(time.perf_counter() - started)
            honest.check(response, trace, "read")
            if response.status_code == 200 and response.json()["name"] != name:
                honest.wrong.append("read: another user's document")
            await asyncio.sleep(_READ_PAUSE_S)


async def _write(honest: Honest, stack: Stack) -> None:
    headers = stack.identity.headers("writer", "users:write:all")
    url = f"{stack['command-service'].url}/v1/users"
    async with httpx.AsyncClient(headers=headers, timeout=20) as client:
        while True:
            trace, started = _trace(), time.perf_counter()
            body = {"name": "Soak", "email": f"{trace[3:35]}@example.org"}
            try:
                response = await client.post(url, json=body, headers={"traceparent": trace})
            except httpx.TransportError as error:
                honest.statuses[f"write {type(error).__name__}"] += 1
                continue
            honest.write_s.append(time.perf_counter() - started)
            honest.check(response, trace, "write")
            await asyncio.sleep(_WRITE_PAUSE_S)


def _memory_mb(stack: Stack) -> dict[str, float]:
    return {
        name: round(psutil.Process(stack[name].pid).memory_info().rss / 1e6, 1)
        for name in _PROCESSES
    }


async def _rejected(stack: Stack) -> dict[str, dict[str, int]]:
    found: dict[str, dict[str, int]] = {}
    async with httpx.AsyncClient(timeout=20) as client:
        for name in ("command-service", "query-service"):
            lines = (await client.get(f"{stack[name].url}/metrics")).text.splitlines()
            found[name] = {
                line.split('"')[1]: int(float(line.split()[-1]))
                for line in lines
                if line.startswith("http_rejected_total{")
            }
    return found


async def _fill(stack: Stack) -> list[tuple[str, str]]:
    """Products with long descriptions, and users with their names."""
    async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=40) as client:
        shop = Shop(client, stack["command-service"].url, stack["query-service"].url)
        for number in range(_PRODUCTS):
            words = " ".join(f"word{(number * 7 + n) % 5000}" for n in range(540))
            price = {"amount": 450, "currency": "EUR"}
            body = {"name": "Green tea", "description": words, "price": price, "stock": 1}
            assert (await shop.send("POST", "/v1/products", body)).status_code == 201
        users = []
        for number in range(_READERS):
            body = {"name": f"Reader {number}", "email": f"reader-{number}@example.org"}
            response = await shop.send("POST", "/v1/users", body)
            users.append((response.json()["id"], f"Reader {number}"))
            await shop.query(f"/v1/users/{users[-1][0]}", Prefer="wait=30")
        return users


async def soak(stack: Stack, seconds: float) -> dict[str, Any]:
    users = await _fill(stack)
    honest, memory = Honest(), {"0": _memory_mb(stack)}
    load = [asyncio.create_task(_read(honest, stack, user, name)) for user, name in users]
    load.append(asyncio.create_task(_write(honest, stack)))
    await asyncio.sleep(min(20.0, seconds / 4))  # without attacks, to compare
    calm, attacked = _latency(honest), Honest(wrong=honest.wrong)
    honest.read_s, honest.write_s, honest.statuses = (
        attacked.read_s,
        attacked.write_s,
        attacked.statuses,
    )
    ports = [str(stack[name].port) for name in ("command-service", "query-service")]
    attacking = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.edge.attacks", *ports, str(seconds)
    )
    started = time.monotonic()
    while (elapsed := time.monotonic() - started) < seconds:
        await asyncio.sleep(min(_SAMPLE_S, seconds - elapsed))
        memory[str(round(time.monotonic() - started))] = _memory_mb(stack)
    await attacking.wait()
    for task in load:
        task.cancel()
    await asyncio.gather(*load, return_exceptions=True)
    await asyncio.sleep(15)  # the last cut-offs
    memory["after"] = _memory_mb(stack)
    return {
        "latency without attacks": calm,
        "latency under attack": _latency(honest),
        "statuses": dict(honest.statuses),
        "wrong": honest.wrong[:20],
        "rejected": await _rejected(stack),
        "memory in MB": memory,
    }


def _latency(honest: Honest) -> dict[str, str]:
    return {
        kind: f"n={len(found)} p50={_percentile(found, 50)} p99={_percentile(found, 99)} ms"
        for kind, found in (("reads", honest.read_s), ("writes", honest.write_s))
        if len(found) > 1
    }


def _percentile(seconds: list[float], percent: int) -> float:
    return round(statistics.quantiles(seconds, n=100, method="inclusive")[percent - 1] * 1e3, 1)


async def _run(seconds: float, directory: Path) -> dict[str, Any]:
    passwords = new_passwords()
    ports = free_ports(4)
    postgres = Postgres(directory / "postgres", ports[0], passwords)
    valkey = Valkey(directory / "valkey", ports[1], passwords)
    kafka = Kafka(directory / "kafka", ports[2], ports[3])
    for server in (postgres, valkey, kafka):
        await asyncio.to_thread(server.start)
    stack = None
    try:
        await make_template(postgres, passwords)
        database = await make_database(postgres)
        stack = LimitedStack(database, kafka, valkey, Identity(directory), directory)
        for name in _PROCESSES:
            stack.add(name)
        await stack.ready()
        return await soak(stack, seconds)
    finally:
        if stack is not None:
            stack.stop()
        for server in (postgres, valkey, kafka):
            await asyncio.to_thread(server.stop)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(prefix="tandem-soak-") as directory:
        found = asyncio.run(_run(seconds, Path(directory)))
    sys.stdout.write(json.dumps(found, indent=1) + "\n")
    return 1 if found["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
