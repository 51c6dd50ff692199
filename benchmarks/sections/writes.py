"""PlaceOrder with 3 lines, compared with pgbench and a conventional service."""

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from benchmarks.load.job import Job, LoadResult
from benchmarks.load.requests import place_orders
from benchmarks.peers.pgbench import DATABASE, create_peers_database, numbered_id, run_pgbench
from benchmarks.peers.process import Peer, peer
from benchmarks.processes import measured
from benchmarks.profiler import profile
from benchmarks.results import Result, Row, ms, rate, times
from benchmarks.sections.section import Options
from benchmarks.servers import BenchmarkStack, Servers
from benchmarks.subjects import Subject, load_of

CUSTOMERS: Final = 1000
PRODUCTS: Final = 3000
_CHART: Final = "PlaceOrder"
_MAX_CLIENTS: Final = 256


@dataclass(frozen=True, slots=True)
class Subjects:
    """The three subjects at one number of clients."""

    tandem: Subject
    pgbench: Subject
    plain: Subject

    def at(self, clients: int) -> tuple[Subject, ...]:
        """The subjects that are comparable at this number of clients."""
        if clients == 1:
            return self.tandem, self.plain
        if clients == 256:
            return self.tandem, self.pgbench
        return self.tandem, self.pgbench, self.plain


async def writes(servers: Servers, options: Options) -> Result:
    """The relay and the projector run too; the peers have neither."""
    async with _services(servers, options) as (stack, plain):
        by_clients = {
            clients: _subjects(servers, stack, plain, clients, options.seconds)
            for clients in (1, 64, 256)
        }
        for number in range(options.rounds):
            for clients, subjects in by_clients.items():
                for subject in subjects.at(clients):
                    await subject.measure()
                    await stack.wait_caught_up()
                options.report(
                    f"round {number + 1}, {clients} clients: {_summary(subjects.at(clients))}"
                )
        result = Result(_rows(by_clients), remarks=[_remark(by_clients[64])])
        result.remarks.append(await _costs(servers, stack, by_clients[64].tandem))
        for subject in by_clients[64].at(64):
            result.points += await subject.curve(_CHART)
            await stack.wait_caught_up()
        if options.profiles:
            work = by_clients[64].tandem.load(None)
            sample = await profile(stack.pid("command-service"), "command service", _CHART, work)
            result.profiles += [sample] if sample else []
    return result


@asynccontextmanager
async def _services(
    servers: Servers, options: Options
) -> AsyncIterator[tuple[BenchmarkStack, Peer]]:
    async with servers.new_stack() as stack:
        options.report("loading a shop for Tandem and one for its peers")
        await stack.loader.load_shop(CUSTOMERS, PRODUCTS)
        await create_peers_database(servers.postgres)
        await stack.start("command-service", "relay", "projector")
        await stack.wait_caught_up()
        environment = {
            "DATABASE_URL": servers.postgres.url(database=DATABASE),
            "JWKS_URL": servers.identity.jwks_url,
        }
        async with peer(
            "plain_writes", servers.directory / "plain-writes.log", environment
        ) as plain:
            yield stack, plain


def _subjects(
    servers: Servers, stack: BenchmarkStack, plain: Peer, clients: int, seconds: float
) -> Subjects:
    """Counts the CPU time of the service and PostgreSQL; pgbench counts as the service.

    PostgreSQL's sessions of the relay and the projector are excluded: the peers have neither.
    """
    server = servers.postgres.pid
    assert server is not None
    authorization = servers.identity.headers()["Authorization"]
    orders = place_orders(stack.loader.customers, stack.loader.products, authorization)
    numbered = [numbered_id(number) for number in range(1, 3001)]
    plain_orders = place_orders(numbered[:1000], numbered, authorization)

    async def pgbench(rate: float | None) -> LoadResult:
        return await run_pgbench(servers.postgres, _MAX_CLIENTS if rate else clients, seconds, rate)

    own = Job(stack.processes["command-service"].port, orders, clients, seconds)
    theirs = Job(plain.port, plain_orders, clients, seconds)
    return Subjects(
        Subject(
            "Tandem",
            (stack.pid("command-service"), server),
            load_of(own, _MAX_CLIENTS),
            excluded_pids=stack.publishing_sessions,
        ),
        Subject("pgbench", (), pgbench, include_generator=True),
        Subject("plain FastAPI", (plain.pid, server), load_of(theirs, _MAX_CLIENTS)),
    )


async def _costs(servers: Servers, stack: BenchmarkStack, tandem: Subject) -> str:
    """The CPU time of each process until the orders are in the views."""
    by_name = {"PostgreSQL": servers.postgres, "Kafka": servers.kafka, "Redis": servers.valkey}
    pids = {name: [stack.pid(name)] for name in ("command-service", "relay", "projector")}
    pids |= {name: [server.pid or 0] for name, server in by_name.items()}
    pids["PostgreSQL for relay and projector"] = await stack.publishing_sessions()
    with ExitStack() as measurements:
        spent = {name: measurements.enter_context(measured(*of)) for name, of in pids.items()}
        result = await tandem.load(None)
        await stack.wait_caught_up()
    costs = [
        f"{name} {1e6 * s.seconds / len(result.latencies):.0f} µs" for name, s in spent.items()
    ]
    return f"CPU per order at 64 clients until it is in the views: {', '.join(costs)}."


def _rows(by_clients: dict[int, Subjects]) -> list[Row]:
    at = by_clients[64]
    return [
        _per_core("PlaceOrder, 64 clients", at.tandem, at.pgbench, 2),
        _per_core("", at.tandem, at.plain, 7),
        _by_wall_clock("the same by wall clock", at.tandem, at.pgbench),
        _by_wall_clock("", at.tandem, at.plain),
        _latency("PlaceOrder, 64 clients, p99", at.tandem.p99, at.pgbench, at.pgbench.p99, 1),
        _latency(
            "PlaceOrder, 1 client, p50",
            by_clients[1].tandem.p50,
            by_clients[1].plain,
            by_clients[1].plain.p50,
            1.5,
        ),
        _no_fall(by_clients[256].tandem, at.tandem),
        _by_wall_clock("the same by wall clock", by_clients[256].tandem, by_clients[256].pgbench),
    ]


def _per_core(name: str, tandem: Subject, other: Subject, goal: float) -> Row:
    ratio = tandem.per_core / other.per_core
    limit = f"{other.name} {rate(other.per_core)}"
    figure = f"{rate(tandem.per_core)} per core"
    return Row(name, figure, limit, times(ratio), f"≥ {goal}×", ratio >= goal)


def _by_wall_clock(name: str, tandem: Subject, other: Subject) -> Row:
    return Row(
        name,
        f"{rate(tandem.rate)}, p50 {ms(tandem.p50)}, p99 {ms(tandem.p99)}",
        f"{other.name} {rate(other.rate)}, p50 {ms(other.p50)}, p99 {ms(other.p99)}",
        times(tandem.rate / other.rate),
    )


def _latency(name: str, own: float, other: Subject, theirs: float, maximum: float) -> Row:
    ratio = own / theirs
    limit = f"{other.name} {ms(theirs)}"
    return Row(name, ms(own), limit, times(ratio), f"≤ {maximum}×", ratio <= maximum)


def _no_fall(many: Subject, fewer: Subject) -> Row:
    ratio = many.per_core / fewer.per_core
    figure = f"{rate(many.per_core)} per core"
    limit = f"64 clients {rate(fewer.per_core)}"
    return Row("PlaceOrder, 256 clients", figure, limit, times(ratio), "no fall", ratio >= 0.95)


def _summary(subjects: tuple[Subject, ...]) -> str:
    return ", ".join(
        f"{s.name} {rate(s.rounds[-1].rate)} ({rate(s.rounds[-1].per_core)} per core)"
        for s in subjects
    )


def _remark(subjects: Subjects) -> str:
    spent = ", ".join(
        f"{s.name} {s.generator_us:.0f} µs" for s in (subjects.tandem, subjects.plain)
    )
    return (
        "PlaceOrder per core: orders per CPU second of service and PostgreSQL together, without "
        "PostgreSQL's sessions of relay and projector; pgbench counts as the service. "
        f"CPU of the load generator per order: {spent}."
    )
