"""GET an order, against a constant answer from the same server and a service as most write it."""

from contextlib import AsyncExitStack
from typing import Any, Final

import httpx
import orjson

from benchmarks.figures import Result, Row, ms, rate, times
from benchmarks.load.job import Job
from benchmarks.load.requests import get
from benchmarks.peers.running import Peer, peer
from benchmarks.profiling import profile
from benchmarks.sections.section import Options
from benchmarks.subjects import Load, Subject, load_of
from benchmarks.world import BenchShop, World
from shared.contracts.shards import DEFAULT_PARTITIONS, shard_of
from shared.contracts.views import document_key, unpack_document

_CLIENTS: Final = 64
_MOST_CLIENTS: Final = 96  # redis-py's pool, which the plain service uses, refuses the 101st
_CUSTOMERS: Final = 500
_ORDERS: Final = 3000
_SCOPE: Final = "orders:read users:read"
_CHART: Final = "GET an order"


async def reads(world: World, options: Options) -> Result:
    """Each customer reads its own orders, with its own token."""
    async with AsyncExitStack() as running:
        shop = await running.enter_async_context(world.shop())
        options.say(f"{_ORDERS} orders into the views")
        await _prepare(shop)
        requests = await _requests(shop, world)
        port = shop.stack["query-service"].port
        own = Peer(shop.pid("query-service"), port)
        constant = await running.enter_async_context(_constant(world, requests[0], port))
        plain = await running.enter_async_context(await _plain(world, shop))
        subjects = [
            Subject(name, (at.pid,), _load(at.port, requests, options.seconds))
            for name, at in (("Tandem", own), ("constant", constant), ("plain FastAPI", plain))
        ]
        for number in range(options.rounds):
            for subject in subjects:
                await subject.measure()
            options.say(f"round {number + 1}: {_told(subjects)}")
        tandem, _, simple = subjects
        result = Result(_rows(*subjects), remarks=[_remark(subjects)])
        for subject in (tandem, simple):
            result.points += await subject.curve(_CHART)
        if options.profiles:
            seen = await profile(own.pid, "query service", "GET an order", tandem.load(None))
            result.profiles += [seen] if seen else []
    return result


async def _prepare(shop: BenchShop) -> None:
    await shop.filler.shop(_CUSTOMERS, 300)
    await shop.filler.place(_ORDERS)
    await shop.run("relay", "projector", "query-service")
    await shop.level()
    await shop.end("relay", "projector")


async def _requests(shop: BenchShop, world: World) -> list[bytes]:
    rows = await shop.admin.fetch("SELECT id::text, customer_id::text FROM orders ORDER BY id")
    tokens = {
        customer: f"Bearer {world.identity.token(customer, _SCOPE)}"
        for customer in {customer for _, customer in rows}
    }
    return [get(f"/v1/orders/{id}", tokens[customer]) for id, customer in rows]


def _load(port: int, requests: list[bytes], seconds: float) -> Load:
    return load_of(Job(port, requests, _CLIENTS, seconds), most_clients=_MOST_CLIENTS)


def _constant(world: World, request: bytes, port: int) -> Any:
    """A server that answers what Tandem answers to this request, whatever it is asked."""
    path = request.split(b" ")[1].decode()
    answer = httpx.get(f"http://127.0.0.1:{port}{path}", headers=world.identity.headers())
    answer.raise_for_status()
    file = world.directory / "constant.json"
    file.write_bytes(orjson.dumps([answer.text, answer.headers.multi_items()]))
    return peer("constant", world.directory / "constant.log", {"ANSWER": str(file)})


async def _plain(world: World, shop: BenchShop) -> Any:
    """The same bodies, under keys of their own."""
    for (id,) in await shop.admin.fetch("SELECT id::text FROM orders"):
        key = document_key(shard_of("orders", id, DEFAULT_PARTITIONS), id)
        stored: Any = await shop.redis.get(key)
        await shop.redis.set(f"order:{id}", unpack_document(stored)[3])
    environment = {"REDIS_URL": world.valkey.url(), "JWKS_URL": world.identity.jwks_url}
    return peer("plain_reads", world.directory / "plain-reads.log", environment)


def _rows(tandem: Subject, constant: Subject, plain: Subject) -> list[Row]:
    of_constant = tandem.per_core / constant.per_core
    of_plain = tandem.per_core / plain.per_core
    figure = f"{rate(tandem.per_core)} per core"
    return [
        Row("GET an order, 64 clients", figure, f"constant answer {rate(constant.per_core)}",
            times(of_constant), "≥ 0.75×", of_constant >= 0.75),
        Row("", figure, f"plain FastAPI {rate(plain.per_core)}", times(of_plain),
            "≥ 10×", of_plain >= 10),
        Row("the same by the clock", f"{rate(tandem.rate)}, p99 {ms(tandem.p99)}",
            f"plain FastAPI {rate(plain.rate)}, p99 {ms(plain.p99)}",
            times(tandem.rate / plain.rate)),
    ]  # fmt: skip


def _told(subjects: list[Subject]) -> str:
    return ", ".join(f"{s.name} {rate(s.rounds[-1].per_core)} per core" for s in subjects)


def _remark(subjects: list[Subject]) -> str:
    spent = ", ".join(f"{s.name} {s.generator_us:.0f} µs" for s in subjects)
    return f"CPU of the load generator for each read: {spent}."
