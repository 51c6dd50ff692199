"""The projector with a backlog, against aiokafka reading the same topics and decoding only."""

import httpx

from benchmarks.figures import Profile, Result, Row, middle, rate, times
from benchmarks.peers.work import ask
from benchmarks.profiling import profile
from benchmarks.progress import Done, watch
from benchmarks.sections.section import Options
from benchmarks.topics import counting
from benchmarks.world import SHARDS, BenchShop, World
from shared.contracts.views import Checkpoint, checkpoint_key
from tests.support.waiting import until

_GOAL = 40_000
_HEALED = "tandem_projector_events_caught_up_total"


async def projector(world: World, options: Options) -> Result:
    """Every round begins with empty views; what the projector does to start does not count."""
    async with world.shop() as shop:
        options.say(f"{options.events} events onto the topics")
        await _publish(world, shop, options.events)
        own: list[Done] = []
        limit: list[Done] = []
        for number in range(options.rounds):
            own.append(await _project(shop, options))
            limit.append(
                await ask("consuming", KAFKA_BOOTSTRAP_SERVERS=world.kafka.bootstrap_servers)
            )
            options.say(
                f"round {number + 1}: {rate(own[-1].rate)} ({rate(own[-1].per_core)} per core),"
                f" limit {rate(limit[-1].rate)} ({rate(limit[-1].per_core)} per core)"
            )
        result = Result(_rows(own, limit, options))
        if options.profiles:
            seen = await _profile(shop)
            result.profiles += [seen] if seen else []
    return result


async def _publish(world: World, shop: BenchShop, events: int) -> None:
    await shop.filler.shop(1000, 3000)
    await shop.filler.place(events // 4)
    await shop.run("relay")
    async with counting(world.kafka.bootstrap_servers) as count:

        async def all_there() -> bool:
            return await count() >= shop.filler.events

        await until(all_there, "the backlog stands on the topics", seconds=240)
    await shop.end("relay")


async def _project(shop: BenchShop, options: Options) -> Done:
    await _empty_views(shop)
    shop.stack.add("projector")
    done = await watch(shop.projected, shop.filler.events, shop.pid("projector"))
    if healed := await _healed(shop):
        options.say(f"{healed:,} of the events came from the log instead of the topics")
    await shop.end("projector")
    return done


async def _profile(shop: BenchShop) -> Profile | None:
    await _empty_views(shop)
    shop.stack.add("projector")
    pid = shop.pid("projector")
    await watch(shop.projected, 1, pid)
    seen = await profile(
        pid, "projector", "a backlog", watch(shop.projected, shop.filler.events, pid)
    )
    await shop.end("projector")
    return seen


async def _empty_views(shop: BenchShop) -> None:
    """Views without events, instead of no views: those would be made from the log."""
    await shop.redis.flushall()
    begin = Checkpoint(0, -1, "").encode()
    await shop.redis.mset({checkpoint_key(shard): begin for shard in SHARDS})


async def _healed(shop: BenchShop) -> int:
    """Events that this projector read from the log: it does so where Kafka is slow to give them."""
    async with httpx.AsyncClient() as client:
        text = (await client.get(f"{shop.stack['projector'].url}/metrics")).text
    counts = [line.split()[-1] for line in text.splitlines() if line.startswith(_HEALED)]
    return int(sum(map(float, counts)))


def _rows(own: list[Done], limit: list[Done], options: Options) -> list[Row]:
    figure, most = (middle(done.per_core for done in some) for some in (own, limit))
    by_clock, most_by_clock = (middle(done.rate for done in some) for some in (own, limit))
    return [
        Row(f"projector, backlog of {options.events:,} events", f"{rate(figure)} per core",
            f"aiokafka reading and decoding {rate(most)}", times(figure / most),
            f"≥ {_GOAL:,}/s", figure >= _GOAL),
        Row("the same by the clock", rate(by_clock),
            f"aiokafka reading and decoding {rate(most_by_clock)}",
            times(by_clock / most_by_clock)),
    ]  # fmt: skip
