"""The relay with a backlog, against aiokafka producing the same records from memory."""

from benchmarks.figures import Profile, Result, Row, middle, rate, times
from benchmarks.peers.producing import PREFIX
from benchmarks.peers.work import ask
from benchmarks.profiling import profile
from benchmarks.progress import Done, watch
from benchmarks.sections.section import Options
from benchmarks.topics import counting
from benchmarks.world import BenchShop, World
from shared.contracts.shards import TOPICS
from tests.support.topics import delete_topics

_GOAL = 50_000
_FORGET = """
UPDATE relay_cursors SET position = 0, "offset" = -1, event_id = NULL, timestamp_ms = NULL,
    owner = NULL, leased_until = NULL
"""


async def relay(world: World, options: Options) -> Result:
    """Every round begins without topics; what the relay does to make them does not count."""
    async with world.shop() as shop:
        options.say(f"{options.events} events into the log")
        await shop.filler.shop(1000, 3000)
        await shop.filler.place(options.events // 4)
        own: list[Done] = []
        limit: list[Done] = []
        for number in range(options.rounds):
            own.append(await _publish(world, shop))
            limit.append(await _limit(world, shop))
            options.say(
                f"round {number + 1}: {rate(own[-1].rate)} ({rate(own[-1].per_core)} per core),"
                f" limit {rate(limit[-1].rate)} ({rate(limit[-1].per_core)} per core)"
            )
        result = Result(_rows(own, limit, options))
        if options.profiles:
            seen = await _profile(world, shop)
            result.profiles += [seen] if seen else []
    return result


async def _publish(world: World, shop: BenchShop) -> Done:
    await _without_topics(world, shop)
    async with counting(world.kafka.bootstrap_servers) as count:
        shop.stack.add("relay")
        done = await watch(count, shop.filler.events, shop.pid("relay"))
    await shop.end("relay")
    return done


async def _profile(world: World, shop: BenchShop) -> Profile | None:
    await _without_topics(world, shop)
    async with counting(world.kafka.bootstrap_servers) as count:
        shop.stack.add("relay")
        pid = shop.pid("relay")
        await watch(count, 1, pid)
        work = watch(count, shop.filler.events, pid)
        seen = await profile(pid, "relay", "a backlog", work)
    await shop.end("relay")
    return seen


async def _without_topics(world: World, shop: BenchShop) -> None:
    await delete_topics(world.kafka.bootstrap_servers)
    await shop.admin.execute(_FORGET)


async def _limit(world: World, shop: BenchShop) -> Done:
    bootstrap = world.kafka.bootstrap_servers
    done = await ask(
        "producing", DATABASE_URL=shop.database.admin_url, KAFKA_BOOTSTRAP_SERVERS=bootstrap
    )
    await delete_topics(bootstrap, [PREFIX + topic for topic in TOPICS])
    return done


def _rows(own: list[Done], limit: list[Done], options: Options) -> list[Row]:
    figure, most = (middle(done.per_core for done in some) for some in (own, limit))
    by_clock, most_by_clock = (middle(done.rate for done in some) for some in (own, limit))
    return [
        Row(f"relay, backlog of {options.events:,} events", f"{rate(figure)} per core",
            f"aiokafka from memory {rate(most)}", times(figure / most),
            f"≥ {_GOAL:,}/s", figure >= _GOAL),
        Row("the same by the clock", rate(by_clock), f"aiokafka from memory {rate(most_by_clock)}",
            times(by_clock / most_by_clock)),
    ]  # fmt: skip
