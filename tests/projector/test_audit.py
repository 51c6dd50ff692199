"""`python -m projector audit` finds and repairs damage, and reports none if there is none."""

import asyncio
import random
from typing import Any

import orjson
import pytest

from shared.contracts.views import (
    checkpoint_key,
    dashboard_key,
    document_key,
    history_key,
    ids_key,
    prefix_key,
    status_key,
)
from tests.projector.commands import command
from tests.projector.harness import ProjectorSystem

SHARD = "orders.1"
AUDIT = ("audit", "--rate", "100000")


@pytest.fixture
async def folded(system: ProjectorSystem) -> list[str]:
    """The ids of the orders in the views of SHARD."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(120, [SHARD, "products.1", "users.1"])
    await system.wait_until_caught_up()
    found: Any = await system.redis.zrange(ids_key(SHARD), 0, -1)
    return [id.decode() for id in found]


async def test_undamaged_views_have_no_findings_under_load(
    system: ProjectorSystem, folded: list[str]
) -> None:
    stop = asyncio.Event()

    async def add() -> None:
        while not stop.is_set():
            await system.add_events(2, [SHARD, "users.1", "products.1"])
            await asyncio.sleep(0.1)

    adding = asyncio.create_task(add())
    status, lines, errors = await command(system, *AUDIT, SHARD, "users.1", "products.1")
    stop.set()
    await adding
    assert (status, errors) == (0, ""), lines
    assert lines[-1]["differences"] == 0
    assert lines[-1]["compared"]["orders"] >= len(folded)


async def test_each_kind_of_damage_is_found_and_repaired(
    system: ProjectorSystem, folded: list[str]
) -> None:
    redis = system.redis
    draw = random.Random(3)
    victims = draw.sample(folded, 7)
    product: Any = await redis.zrange(ids_key("products.1"), 0, 0)
    await redis.delete(document_key(SHARD, victims[0]))
    await redis.set(document_key(SHARD, victims[1]), b"1 1 -\n{}")
    await redis.delete(history_key(SHARD, victims[2], 1))
    await redis.zrem(ids_key(SHARD), victims[3])
    await redis.zadd(status_key(SHARD, "nonsense"), {victims[4]: 0})
    await redis.set(history_key(SHARD, victims[5], 99), b"{}")
    stranger = "019cb1a5-02f1-7e4b-b5d0-93c4a1f08004"
    await redis.set(document_key(SHARD, stranger), b"1 1 -\n{}")
    await redis.zadd(ids_key(SHARD), {stranger: 0})
    await redis.zadd(prefix_key("products.1", "zzzz"), {product[0]: 0})
    status, lines, _ = await command(system, *AUDIT, SHARD, "products.1")
    assert status == 1
    found = {line["aggregate"] for line in lines if line.get("aggregate")}
    assert found == {*victims[:6], stranger, product[0].decode()}
    status, lines, _ = await command(system, *AUDIT, "--repair", SHARD, "products.1")
    assert status == 0, lines
    await system.verify_views(SHARD, "products.1")
    assert (await command(system, *AUDIT, SHARD, "products.1"))[0] == 0


async def test_a_wrong_dashboard_part_is_reported_and_rebuilt(
    system: ProjectorSystem, folded: list[str]
) -> None:
    stored = await system.redis.get(dashboard_key(SHARD))
    assert isinstance(stored, bytes)
    part = orjson.loads(stored)
    part["statuses"]["placed"] += 1
    await system.redis.set(dashboard_key(SHARD), orjson.dumps(part))
    status, lines, _ = await command(system, *AUDIT, "--repair", SHARD)
    assert status == 1
    assert lines[-2]["command"].startswith("python -m projector rebuild orders.1")
    assert (await command(system, "rebuild", SHARD))[0] == 0
    assert (await command(system, *AUDIT, SHARD))[0] == 0
    assert await system.redis.exists(checkpoint_key(SHARD))
    await system.verify_views(SHARD)
