"""GET an order, compared with a constant response and a conventional service."""

from contextlib import AsyncExitStack
from typing import Any, Final, cast

import httpx
import orjson

from benchmarks.load.job import Job
from benchmarks.load.requests import get
from benchmarks.peers.process import Peer, peer
from benchmarks.profiler import profile
from benchmarks.results import Result, Row, ms, rate, times
from benchmarks.sections.section import Options
from benchmarks.servers import BenchmarkStack, Servers
from benchmarks.subjects import Load, Subject, load_of
from shared.contracts.shards import DEFAULT_PARTITIONS, shard_of
from shared.contracts.views import (
    checkpoint_key,
    decode_checkpoint,
    document_key,
    generation_key,
    unpack_document,
)

_CLIENTS: Final = 64
_SERVER_HEADERS: Final = ("content-length", "date")
_MAX_CLIENTS: Final = 96  # redis-py's pool, which the plain service uses, rejects the 101st
_CUSTOMERS: Final = 500
_ORDERS: Final = 3000
_SCOPE: Final = "orders:read users:read"
_CHART: Final = "GET an order"


async def reads(servers: Servers, options: Options) -> Result:
    """Each customer reads its orders with its access token."""
    async with AsyncExitStack() as running:
        stack = await running.enter_async_context(servers.new_stack())
        options.report(f"{_ORDERS} orders into the views")
        await _prepare(stack)
        requests = await _requests(stack, servers)
        port = stack.processes["query-service"].port
        own = Peer(stack.pid("query-service"), port)
        constant = await running.enter_async_context(_constant(servers, requests[0], port))
        plain = await running.enter_async_context(await _plain(servers, stack))
        subjects = [
            Subject(name, (at.pid,), _load(at.port, requests, options.seconds))
            for name, at in (("Tandem", own), ("constant", constant), ("plain FastAPI", plain))
        ]
        for number in range(options.rounds):
            for subject in subjects:
                await subject.measure()
            options.report(f"round {number + 1}: {_summary(subjects)}")
        tandem, _, simple = subjects
        result = Result(_rows(*subjects), remarks=[_remark(subjects)])
        for subject in (tandem, simple):
            result.points += await subject.curve(_CHART)
        if options.profiles:
            sample = await profile(own.pid, "query service", "GET an order", tandem.load(None))
            result.profiles += [sample] if sample else []
    return result


async def _prepare(stack: BenchmarkStack) -> None:
    await stack.loader.load_shop(_CUSTOMERS, 300)
    await stack.loader.load_orders(_ORDERS)
    await stack.start("relay", "projector", "query-service")
    await stack.wait_caught_up()
    await stack.stop("relay", "projector")


async def _requests(stack: BenchmarkStack, servers: Servers) -> list[bytes]:
    rows = await stack.admin.fetch("SELECT id::text, customer_id::text FROM orders ORDER BY id")
    tokens = {
        customer: f"Bearer {servers.identity.token(customer, _SCOPE)}"
        for customer in {customer for _, customer in rows}
    }
    return [get(f"/v1/orders/{id}", tokens[customer]) for id, customer in rows]


def _load(port: int, requests: list[bytes], seconds: float) -> Load:
    return load_of(Job(port, requests, _CLIENTS, seconds), max_clients=_MAX_CLIENTS)


def _constant(servers: Servers, request: bytes, port: int) -> Any:
    """A server that returns Tandem's response to this request for every request."""
    path = request.split(b" ")[1].decode()
    response = httpx.get(f"http://127.0.0.1:{port}{path}", headers=servers.identity.headers())
    response.raise_for_status()
    file = servers.directory / "constant.json"
    headers = [item for item in response.headers.multi_items() if item[0] not in _SERVER_HEADERS]
    file.write_bytes(orjson.dumps([response.text, headers]))
    return peer(
        "constant_response", servers.directory / "constant.log", {"RESPONSE_FILE": str(file)}
    )


async def _plain(servers: Servers, stack: BenchmarkStack) -> Any:
    """Serves the same documents from separate keys."""
    for (id,) in await stack.admin.fetch("SELECT id::text FROM orders"):
        shard = shard_of("orders", id, DEFAULT_PARTITIONS)
        checkpoint = decode_checkpoint(cast("Any", await stack.redis.get(checkpoint_key(shard))))
        assert checkpoint is not None
        key = generation_key(checkpoint.generation, document_key(shard, id))
        stored: Any = await stack.redis.get(key)
        await stack.redis.set(f"order:{id}", unpack_document(stored)[3])
    environment = {"REDIS_URL": servers.valkey.url(), "JWKS_URL": servers.identity.jwks_url}
    return peer("plain_reads", servers.directory / "plain-reads.log", environment)


def _rows(tandem: Subject, constant: Subject, plain: Subject) -> list[Row]:
    of_constant = tandem.per_core / constant.per_core
    of_plain = tandem.per_core / plain.per_core
    figure = f"{rate(tandem.per_core)} per core"
    return [
        Row("GET an order, 64 clients", figure, f"constant response {rate(constant.per_core)}",
            times(of_constant), "≥ 0.75×", of_constant >= 0.75),
        Row("", figure, f"plain FastAPI {rate(plain.per_core)}", times(of_plain),
            "≥ 10×", of_plain >= 10),
        Row("the same by wall clock", f"{rate(tandem.rate)}, p99 {ms(tandem.p99)}",
            f"plain FastAPI {rate(plain.rate)}, p99 {ms(plain.p99)}",
            times(tandem.rate / plain.rate)),
    ]  # fmt: skip


def _summary(subjects: list[Subject]) -> str:
    return ", ".join(f"{s.name} {rate(s.rounds[-1].per_core)} per core" for s in subjects)


def _remark(subjects: list[Subject]) -> str:
    spent = ", ".join(f"{s.name} {s.generator_us:.0f} µs" for s in subjects)
    return f"CPU of the load generator per read: {spent}."
