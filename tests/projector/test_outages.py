"""One of the servers is away: the projector does what it can without it, and then the rest."""

import time

from tests.projector.harness import SHARDS, World
from tests.support.servers import Kafka, Postgres
from tests.support.waiting import until


async def test_views_go_on_by_kafka_while_postgresql_is_away(
    world: World, postgres: Postgres
) -> None:
    projector = world.start()
    await projector.ready()
    records = [record for shard in SHARDS for record in world.logs[shard].take(50)]
    await world.commit(records)
    postgres.pause()
    try:
        await world.publish(records)

        async def projected() -> bool:
            found = [await world.checkpoint(shard) for shard in SHARDS]
            return all(at is not None and at.position == 50 for at in found)

        await until(projected, "views level without PostgreSQL", seconds=20)
        assert (await projector.get("/livez")).status_code == 200
    finally:
        postgres.resume()
    await world.happen(10)
    await world.exact()


async def test_views_go_on_by_the_log_while_kafka_is_away(world: World, kafka: Kafka) -> None:
    projector = world.start()
    await projector.ready()
    await world.happen(20)
    await world.level()
    kafka.kill()
    try:
        await world.commit([r for shard in SHARDS for r in world.logs[shard].take(50)])
        await world.exact(seconds=15)
        late = world.start()
        await world.commit([r for shard in SHARDS for r in world.logs[shard].take(50)])
        await world.exact(seconds=15)
    finally:
        kafka.start()
    started = time.monotonic()
    await projector.ready()
    await late.ready()
    records = [r for shard in SHARDS for r in world.logs[shard].take(20)]
    await world.commit(records)
    await world.publish(records)
    await world.exact(seconds=30)
    assert time.monotonic() - started < 60
