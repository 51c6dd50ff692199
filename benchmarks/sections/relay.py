"""The relay with a backlog, compared with aiokafka that produces the same records."""

from statistics import median

from benchmarks.peers.producer import PREFIX
from benchmarks.peers.work import run_peer
from benchmarks.profiler import profile
from benchmarks.record_count import record_counter
from benchmarks.results import Profile, Result, Row, rate, times
from benchmarks.sections.section import Options
from benchmarks.servers import BenchmarkStack, Servers
from benchmarks.throughput import Throughput, measure_throughput
from shared.contracts.shards import TOPICS
from tests.support.topics import delete_topics

_GOAL = 50_000
_RESET_CURSORS = """
UPDATE relay_cursors SET position = 0, "offset" = -1, event_id = NULL, timestamp_ms = NULL,
    owner = NULL, leased_until = NULL
"""


async def relay(servers: Servers, options: Options) -> Result:
    """Every round begins without topics; creating them does not count."""
    async with servers.new_stack() as stack:
        options.report(f"{options.events} events into the event log")
        await stack.loader.load_shop(1000, 3000)
        await stack.loader.load_orders(options.events // 4)
        own: list[Throughput] = []
        limit: list[Throughput] = []
        for number in range(options.rounds):
            own.append(await _publish(servers, stack))
            limit.append(await _limit(servers, stack))
            options.report(
                f"round {number + 1}: {rate(own[-1].rate)} ({rate(own[-1].per_core)} per core),"
                f" limit {rate(limit[-1].rate)} ({rate(limit[-1].per_core)} per core)"
            )
        result = Result(_rows(own, limit, options))
        if options.profiles:
            sample = await _profile(servers, stack)
            result.profiles += [sample] if sample else []
    return result


async def _publish(servers: Servers, stack: BenchmarkStack) -> Throughput:
    await _without_topics(servers, stack)
    async with record_counter(servers.kafka.bootstrap_servers) as count:
        stack.processes.add("relay")
        done = await measure_throughput(count, stack.loader.events, stack.pid("relay"))
    await stack.stop("relay")
    return done


async def _profile(servers: Servers, stack: BenchmarkStack) -> Profile | None:
    await _without_topics(servers, stack)
    async with record_counter(servers.kafka.bootstrap_servers) as count:
        stack.processes.add("relay")
        pid = stack.pid("relay")
        await measure_throughput(count, 1, pid)
        work = measure_throughput(count, stack.loader.events, pid)
        sample = await profile(pid, "relay", "a backlog", work)
    await stack.stop("relay")
    return sample


async def _without_topics(servers: Servers, stack: BenchmarkStack) -> None:
    await delete_topics(servers.kafka.bootstrap_servers)
    await stack.admin.execute(_RESET_CURSORS)


async def _limit(servers: Servers, stack: BenchmarkStack) -> Throughput:
    bootstrap = servers.kafka.bootstrap_servers
    done = await run_peer(
        "producer", DATABASE_URL=stack.database.admin_url, KAFKA_BOOTSTRAP_SERVERS=bootstrap
    )
    await delete_topics(bootstrap, [PREFIX + topic for topic in TOPICS])
    return done


def _rows(own: list[Throughput], limit: list[Throughput], options: Options) -> list[Row]:
    figure, limit_per_core = (median(done.per_core for done in some) for some in (own, limit))
    by_clock, limit_by_clock = (median(done.rate for done in some) for some in (own, limit))
    return [
        Row(f"relay, backlog of {options.events:,} events", f"{rate(figure)} per core",
            f"aiokafka from memory {rate(limit_per_core)}", times(figure / limit_per_core),
            f"≥ {_GOAL:,}/s", figure >= _GOAL),
        Row("the same by wall clock", rate(by_clock),
            f"aiokafka from memory {rate(limit_by_clock)}", times(by_clock / limit_by_clock)),
    ]  # fmt: skip
