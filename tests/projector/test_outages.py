"""One of the servers is unavailable: the projector continues without it, and then catches up."""

import time

from tests.projector.harness import SHARDS, ProjectorSystem
from tests.support.servers import Kafka, Postgres
from tests.support.waiting import until


async def test_views_continue_with_kafka_while_postgresql_is_unavailable(
    system: ProjectorSystem, postgres: Postgres
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = [record for shard in SHARDS for record in system.logs[shard].take(50)]
    await system.commit(records)
    postgres.pause()
    try:
        await system.publish(records)

        async def projected() -> bool:
            found = [await system.checkpoint(shard) for shard in SHARDS]
            return all(at is not None and at.position == 50 for at in found)

        await until(projected, "views caught up without PostgreSQL", seconds=20)
        assert (await projector.get("/livez")).status_code == 200
    finally:
        postgres.resume()
    await system.add_events(10)
    await system.verify_views()


async def test_views_continue_with_the_event_log_while_kafka_is_unavailable(
    system: ProjectorSystem, kafka: Kafka
) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(20)
    await system.wait_until_caught_up()
    kafka.kill()
    try:
        await system.commit([r for shard in SHARDS for r in system.logs[shard].take(50)])
        await system.verify_views(seconds=15)
        late = system.start_projector()
        await system.commit([r for shard in SHARDS for r in system.logs[shard].take(50)])
        await system.verify_views(seconds=15)
    finally:
        kafka.start()
    started = time.monotonic()
    await projector.wait_until_ready()
    await late.wait_until_ready()
    records = [r for shard in SHARDS for r in system.logs[shard].take(20)]
    await system.commit(records)
    await system.publish(records)
    await system.verify_views(seconds=30)
    assert time.monotonic() - started < 60
