"""The projector with a backlog, compared with aiokafka that only reads and decodes."""

from statistics import median

import httpx

from benchmarks.peers.work import run_peer
from benchmarks.profiler import profile
from benchmarks.record_count import record_counter
from benchmarks.results import Profile, Result, Row, rate, times
from benchmarks.sections.section import Options
from benchmarks.servers import SHARDS, BenchmarkStack, Servers
from benchmarks.throughput import Throughput, measure_throughput
from shared.contracts.views import Checkpoint, checkpoint_key
from tests.support.waiting import until

_GOAL = 40_000
_CAUGHT_UP_METRIC = "tandem_projector_events_caught_up_total"


async def projector(servers: Servers, options: Options) -> Result:
    """Every round begins with empty views; the startup of the projector does not count."""
    async with servers.new_stack() as stack:
        options.report(f"{options.events} events into the topics")
        await _publish(servers, stack, options.events)
        own: list[Throughput] = []
        limit: list[Throughput] = []
        for number in range(options.rounds):
            own.append(await _project(stack, options))
            limit.append(
                await run_peer("consumer", KAFKA_BOOTSTRAP_SERVERS=servers.kafka.bootstrap_servers)
            )
            options.report(
                f"round {number + 1}: {rate(own[-1].rate)} ({rate(own[-1].per_core)} per core),"
                f" limit {rate(limit[-1].rate)} ({rate(limit[-1].per_core)} per core)"
            )
        result = Result(_rows(own, limit, options))
        if options.profiles:
            sample = await _profile(stack)
            result.profiles += [sample] if sample else []
    return result


async def _publish(servers: Servers, stack: BenchmarkStack, events: int) -> None:
    await stack.loader.load_shop(1000, 3000)
    await stack.loader.load_orders(events // 4)
    await stack.start("relay")
    async with record_counter(servers.kafka.bootstrap_servers) as count:

        async def published() -> bool:
            return await count() >= stack.loader.events

        await until(published, "the backlog is published", seconds=240)
    await stack.stop("relay")


async def _project(stack: BenchmarkStack, options: Options) -> Throughput:
    await _empty_views(stack)
    stack.processes.add("projector")
    done = await measure_throughput(stack.projected, stack.loader.events, stack.pid("projector"))
    if caught_up := await _caught_up_events(stack):
        options.report(f"{caught_up:,} events were read from the event log, not from the topics")
    await stack.stop("projector")
    return done


async def _profile(stack: BenchmarkStack) -> Profile | None:
    await _empty_views(stack)
    stack.processes.add("projector")
    pid = stack.pid("projector")
    await measure_throughput(stack.projected, 1, pid)
    sample = await profile(
        pid, "projector", "a backlog", measure_throughput(stack.projected, stack.loader.events, pid)
    )
    await stack.stop("projector")
    return sample


async def _empty_views(stack: BenchmarkStack) -> None:
    """Views at position 0: missing views would be filled from the event log."""
    await stack.redis.flushall()
    begin = Checkpoint(0, -1, "").encode()
    await stack.redis.mset({checkpoint_key(shard): begin for shard in SHARDS})


async def _caught_up_events(stack: BenchmarkStack) -> int:
    """Events that the projector read from the event log, as it does if Kafka is slow."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{stack.processes['projector'].url}/metrics")).text
    counts = [line.split()[-1] for line in text.splitlines() if line.startswith(_CAUGHT_UP_METRIC)]
    return int(sum(map(float, counts)))


def _rows(own: list[Throughput], limit: list[Throughput], options: Options) -> list[Row]:
    figure, limit_per_core = (median(done.per_core for done in some) for some in (own, limit))
    by_clock, limit_by_clock = (median(done.rate for done in some) for some in (own, limit))
    return [
        Row(f"projector, backlog of {options.events:,} events", f"{rate(figure)} per core",
            f"aiokafka, read and decode, {rate(limit_per_core)}", times(figure / limit_per_core),
            f"≥ {_GOAL:,}/s", figure >= _GOAL),
        Row("the same by wall clock", rate(by_clock),
            f"aiokafka, read and decode, {rate(limit_by_clock)}",
            times(by_clock / limit_by_clock)),
    ]  # fmt: skip
