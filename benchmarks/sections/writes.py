"""PlaceOrder with 3 lines, against pgbench on the same server and a service as most write it."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.figures import Result, Row, ms, rate, times
from benchmarks.load.job import Found, Job
from benchmarks.load.requests import place_orders
from benchmarks.peers.pgbench import DATABASE, make_peers_database, numbered_id, run_pgbench
from benchmarks.peers.running import Peer, peer
from benchmarks.processes import measured
from benchmarks.profiling import profile
from benchmarks.sections.section import Options
from benchmarks.subjects import Subject, load_of
from benchmarks.world import BenchShop, World

CUSTOMERS: Final = 1000
PRODUCTS: Final = 3000
_CHART: Final = "PlaceOrder"
_MOST_CLIENTS: Final = 256


@dataclass(frozen=True, slots=True)
class Subjects:
    """The same three at one number of clients."""

    tandem: Subject
    pgbench: Subject
    plain: Subject

    def at(self, clients: int) -> tuple[Subject, ...]:
        """Those that tell something at this number of clients."""
        if clients == 1:
            return self.tandem, self.plain
        if clients == 256:
            return self.tandem, self.pgbench
        return self.tandem, self.pgbench, self.plain


async def writes(world: World, options: Options) -> Result:
    """The relay and the projector run, as they do in earnest; the peers have neither."""
    async with _everything(world, options) as (shop, plain):
        by_clients = {
            clients: _subjects(world, shop, plain, clients, options.seconds)
            for clients in (1, 64, 256)
        }
        for number in range(options.rounds):
            for clients, subjects in by_clients.items():
                for subject in subjects.at(clients):
                    await subject.measure()
                    await shop.level()
                options.say(f"round {number + 1}, {clients} clients: {_told(subjects.at(clients))}")
        result = Result(_rows(by_clients), remarks=[_remark(by_clients[64])])
        result.remarks.append(await _costs(world, shop, by_clients[64].tandem))
        for subject in by_clients[64].at(64):
            result.points += await subject.curve(_CHART)
            await shop.level()
        if options.profiles:
            work = by_clients[64].tandem.load(None)
            seen = await profile(shop.pid("command-service"), "command service", _CHART, work)
            result.profiles += [seen] if seen else []
    return result


@asynccontextmanager
async def _everything(world: World, options: Options) -> AsyncIterator[tuple[BenchShop, Peer]]:
    async with world.shop() as shop:
        options.say("a shop for Tandem, one for its peers")
        await shop.filler.shop(CUSTOMERS, PRODUCTS)
        await make_peers_database(world.postgres)
        await shop.run("command-service", "relay", "projector")
        await shop.level()
        environment = {
            "DATABASE_URL": world.postgres.url(database=DATABASE),
            "JWKS_URL": world.identity.jwks_url,
        }
        async with peer("plain_writes", world.directory / "plain-writes.log", environment) as plain:
            yield shop, plain


def _subjects(world: World, shop: BenchShop, plain: Peer, clients: int, seconds: float) -> Subjects:
    """What decides and what stores counts; of pgbench, which is the application here, both.

    What PostgreSQL does for the relay and the projector is told apart: the peers have neither.
    """
    server = world.postgres.pid
    assert server is not None
    authorization = world.identity.headers()["Authorization"]
    orders = place_orders(shop.filler.customers, shop.filler.products, authorization)
    numbered = [numbered_id(number) for number in range(1, 3001)]
    plain_orders = place_orders(numbered[:1000], numbered, authorization)

    async def pgbench(rate: float | None) -> Found:
        return await run_pgbench(world.postgres, _MOST_CLIENTS if rate else clients, seconds, rate)

    own = Job(shop.stack["command-service"].port, orders, clients, seconds)
    theirs = Job(plain.port, plain_orders, clients, seconds)
    return Subjects(
        Subject(
            "Tandem",
            (shop.pid("command-service"), server),
            load_of(own, _MOST_CLIENTS),
            apart=shop.publishing_sessions,
        ),
        Subject("pgbench", (), pgbench, with_generator=True),
        Subject("plain FastAPI", (plain.pid, server), load_of(theirs, _MOST_CLIENTS)),
    )


async def _costs(world: World, shop: BenchShop, tandem: Subject) -> str:
    """What each part of Tandem spends until the orders are in the views."""
    servers = {"PostgreSQL": world.postgres, "Kafka": world.kafka, "Redis": world.valkey}
    pids = {name: [shop.pid(name)] for name in ("command-service", "relay", "projector")}
    pids |= {name: [server.pid or 0] for name, server in servers.items()}
    pids["PostgreSQL for relay and projector"] = await shop.publishing_sessions()
    with ExitStack() as watched:
        spent = {name: watched.enter_context(measured(*of)) for name, of in pids.items()}
        found = await tandem.load(None)
        await shop.level()
    told = [f"{name} {1e6 * s.seconds / len(found.latencies):.0f} µs" for name, s in spent.items()]
    return f"CPU of an order at 64 clients, until it is in the views: {', '.join(told)}."


def _rows(by_clients: dict[int, Subjects]) -> list[Row]:
    at = by_clients[64]
    return [
        _per_core("PlaceOrder, 64 clients", at.tandem, at.pgbench, 2),
        _per_core("", at.tandem, at.plain, 7),
        _by_the_clock("the same by the clock", at.tandem, at.pgbench),
        _by_the_clock("", at.tandem, at.plain),
        _latency("PlaceOrder, 64 clients, p99", at.tandem.p99, at.pgbench, at.pgbench.p99, 1),
        _latency(
            "PlaceOrder, 1 client, p50",
            by_clients[1].tandem.p50,
            by_clients[1].plain,
            by_clients[1].plain.p50,
            1.5,
        ),
        _no_fall(by_clients[256].tandem, at.tandem),
        _by_the_clock("the same by the clock", by_clients[256].tandem, by_clients[256].pgbench),
    ]


def _per_core(name: str, tandem: Subject, other: Subject, goal: float) -> Row:
    ratio = tandem.per_core / other.per_core
    limit = f"{other.name} {rate(other.per_core)}"
    figure = f"{rate(tandem.per_core)} per core"
    return Row(name, figure, limit, times(ratio), f"≥ {goal}×", ratio >= goal)


def _by_the_clock(name: str, tandem: Subject, other: Subject) -> Row:
    return Row(
        name,
        f"{rate(tandem.rate)}, p50 {ms(tandem.p50)}, p99 {ms(tandem.p99)}",
        f"{other.name} {rate(other.rate)}, p50 {ms(other.p50)}, p99 {ms(other.p99)}",
        times(tandem.rate / other.rate),
    )


def _latency(name: str, own: float, other: Subject, theirs: float, most: float) -> Row:
    ratio = own / theirs
    limit = f"{other.name} {ms(theirs)}"
    return Row(name, ms(own), limit, times(ratio), f"≤ {most}×", ratio <= most)


def _no_fall(many: Subject, fewer: Subject) -> Row:
    ratio = many.per_core / fewer.per_core
    figure = f"{rate(many.per_core)} per core"
    limit = f"64 clients {rate(fewer.per_core)}"
    return Row("PlaceOrder, 256 clients", figure, limit, times(ratio), "no fall", ratio >= 0.95)


def _told(subjects: tuple[Subject, ...]) -> str:
    return ", ".join(
        f"{s.name} {rate(s.rounds[-1].rate)} ({rate(s.rounds[-1].per_core)} per core)"
        for s in subjects
    )


def _remark(subjects: Subjects) -> str:
    spent = ", ".join(
        f"{s.name} {s.generator_us:.0f} µs" for s in (subjects.tandem, subjects.plain)
    )
    return (
        "PlaceOrder per core: orders by CPU second of service and PostgreSQL together, without "
        "what PostgreSQL does for relay and projector; pgbench counts as the service. "
        f"CPU of the load generator for each: {spent}."
    )
