"""Views are rebuilt, cut over and rolled back while events are folded."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from redis.asyncio import Redis

from shared.contracts.views import (
    FIRST_GENERATION,
    KEPT,
    Spare,
    checkpoint_key,
    decode_spare,
    document_key,
    ids_key,
    spare_key,
    sweep_key,
)
from tests.projector.commands import command
from tests.projector.harness import SHARDS, ProjectorSystem
from tests.support.expected_views import (
    content_in_redis,
    differences,
    expected_content,
    read_event_log,
)
from tests.support.waiting import until


@asynccontextmanager
async def load(system: ProjectorSystem) -> AsyncIterator[None]:
    """Adds events to every shard until the block ends."""
    stop = asyncio.Event()

    async def add() -> None:
        while not stop.is_set():
            await system.add_events(1)
            await asyncio.sleep(0.2)

    task = asyncio.create_task(add())
    try:
        yield
    finally:
        stop.set()
        await task


async def spare_of(redis: Redis, shard: str) -> Spare | None:
    stored: bytes | None = await redis.get(spare_key(shard))  # type: ignore[assignment]
    return decode_spare(stored)


async def started(system: ProjectorSystem, events: int = 60) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    await system.add_events(events)
    await system.wait_until_caught_up()


async def generation(system: ProjectorSystem, shard: str) -> str:
    checkpoint = await system.checkpoint(shard)
    assert checkpoint is not None
    return checkpoint.generation


async def test_all_shards_are_rebuilt_and_rolled_back_under_load(system: ProjectorSystem) -> None:
    await started(system)
    async with load(system):
        status, lines, errors = await command(system, "rebuild", "--verify", "all")
        assert (status, errors) == (0, ""), lines
        cut_over = [line for line in lines if line.get("state") == "cut over"]
        assert {line["shard"] for line in cut_over} == set(SHARDS)
        assert all(line["differ_from_live"] == 0 for line in lines if "replayed" in line)
    await system.verify_views()
    live = {shard: await generation(system, shard) for shard in SHARDS}
    assert all(name.startswith("g") for name in live.values())
    status, lines, _ = await command(system, "rebuild")
    assert status == 0
    assert {line["state"] for line in lines[:-1]} == {"unchanged"}
    async with load(system):
        status, _, _ = await command(system, "rollback")
        assert status == 0
    await system.verify_views()
    assert {await generation(system, shard) for shard in SHARDS} == {FIRST_GENERATION}
    status, lines, _ = await command(system, "rollback")
    assert (status, {line["state"] for line in lines}) == (0, {"unchanged"})
    async with load(system):
        assert (await command(system, "rollback", "--forward"))[0] == 0
    await system.verify_views()
    assert {shard: await generation(system, shard) for shard in SHARDS} == live


async def test_a_dropped_generation_is_swept(system: ProjectorSystem) -> None:
    await started(system, 50)
    assert (await command(system, "rebuild", "orders.1", "users.1"))[0] == 0
    assert (await command(system, "drop", "orders.1"))[0] == 0
    async with load(system):

        async def swept() -> bool:
            return await system.redis.exists(sweep_key("orders.1")) == 0

        await until(swept, "the generation swept", seconds=60)
    content = await content_in_redis(system.redis, "orders.1", FIRST_GENERATION)
    assert (content.values, content.members) == ({}, {})
    kept = await content_in_redis(system.redis, "users.1", FIRST_GENERATION)
    assert kept.members
    await system.verify_views()


async def test_the_owner_catches_up_a_kept_generation(system: ProjectorSystem) -> None:
    await started(system, 50)
    assert (await command(system, "rebuild", "users.1"))[0] == 0
    await system.add_events(300, ["users.1"])

    async def caught_up() -> bool:
        spare = await spare_of(system.redis, "users.1")
        return spare is not None and spare.checkpoint.position == 350

    await until(caught_up, "the spare caught up", seconds=60)
    expected = expected_content("users.1", await read_event_log(system.log, "users.1"))
    kept = await content_in_redis(system.redis, "users.1", FIRST_GENERATION)
    assert differences(expected, kept) == []


async def test_a_kept_generation_expires(system: ProjectorSystem) -> None:
    projector = system.start_projector(keep_generation_hours=0.001)
    await projector.wait_until_ready()
    await system.add_events(50)
    await system.wait_until_caught_up()
    assert (await command(system, "rebuild", "users.1"))[0] == 0

    async def dropped() -> bool:
        return await spare_of(system.redis, "users.1") is None

    await until(dropped, "the kept generation dropped", seconds=60)
    await system.verify_views()


@pytest.mark.parametrize("signal_number", [signal.SIGKILL, signal.SIGINT])
async def test_a_builder_that_ends_at_any_time_is_continued(
    system: ProjectorSystem, signal_number: signal.Signals
) -> None:
    await started(system, 150)
    async with load(system):
        for delay_s in (0.9, 1.4, 1.9, 2.6):
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "projector", "rebuild", "--at-once", "3"),
                env={**os.environ, **system.command_environment()},
                stdout=asyncio.subprocess.DEVNULL,
                stderr=asyncio.subprocess.DEVNULL,
            )
            await asyncio.sleep(delay_s)
            if process.returncode is None:
                process.send_signal(signal_number)
            await process.wait()
        status, lines, _ = await command(system, "rebuild")
        assert status == 0, lines
    await system.verify_views()
    for shard in SHARDS:
        assert await generation(system, shard) != FIRST_GENERATION
        spare = await spare_of(system.redis, shard)
        assert spare is not None
        assert spare.state == KEPT


async def test_two_builders_share_one_spare(system: ProjectorSystem) -> None:
    await started(system)
    async with load(system):
        results = await asyncio.gather(*(command(system, "rebuild") for _ in range(2)))
    assert [status for status, _, _ in results] == [0, 0], results
    await system.verify_views()
    for shard in SHARDS:
        names = {
            key.split(b":")[1]
            async for key in system.redis.scan_iter(match=f"{{{shard}}}:g*", count=1000)
        }
        assert names == {(await generation(system, shard)).encode()}


async def test_flushall_during_a_build_and_after_a_cutover(system: ProjectorSystem) -> None:
    await started(system)
    assert (await command(system, "rebuild", "--no-switch", "orders.1"))[0] == 0
    await system.redis.flushall()
    await system.verify_views()
    status, lines, _ = await command(system, "rollback", "orders.1")
    assert status == 1, lines
    assert (await command(system, "rebuild", "orders.1"))[0] == 0
    await system.verify_views()
    await system.redis.flushall()
    await system.verify_views()


async def test_a_damaged_spare_is_not_cut_over(system: ProjectorSystem) -> None:
    await started(system)
    assert (await command(system, "rebuild", "--no-switch", "users.1"))[0] == 0
    spare = await spare_of(system.redis, "users.1")
    assert spare is not None
    name = spare.checkpoint.generation
    ids: Any = await system.redis.zrange(ids_key("users.1"), 0, 0)
    key = document_key("users.1", ids[0].decode())
    await system.redis.set(key.replace("}:", f"}}:{name}:", 1), b"1 1 -\n{}")
    status, lines, _ = await command(system, "rebuild", "users.1", "--verify", "all")
    assert status == 1
    assert any("document" in line.get("problem", "") for line in lines)
    assert await generation(system, "users.1") == FIRST_GENERATION
    assert (await command(system, "drop", "users.1"))[0] == 0
    assert (await command(system, "rebuild", "users.1"))[0] == 0
    await system.verify_views("users.1")


async def test_the_generations_are_listed(system: ProjectorSystem) -> None:
    await started(system, 50)
    assert (await command(system, "rebuild", "users.1"))[0] == 0
    status, lines, _ = await command(system, "generations", "users.1", "users.0")
    assert status == 0
    assert [(line["shard"], line["shape"], line["spare"]) for line in lines] == [
        ("users.1", 1, FIRST_GENERATION),
        ("users.0", 1, None),
    ]


async def test_without_an_owner_a_rebuild_waits(system: ProjectorSystem) -> None:
    await started(system, 50)
    system.projectors[0].terminate()
    rebuild = asyncio.create_task(command(system, "rebuild", "users.1"))
    await asyncio.sleep(6)
    assert not rebuild.done()
    assert await generation(system, "users.1") == FIRST_GENERATION
    system.start_projector()
    status, lines, _ = await rebuild
    assert status == 0
    assert lines[0]["state"] == "waiting"


async def test_an_unknown_shape_is_left_to_a_newer_projector(system: ProjectorSystem) -> None:
    await started(system, 50)
    stored = await system.redis.get(checkpoint_key("users.1"))
    assert isinstance(stored, bytes)
    await system.redis.set(checkpoint_key("users.1"), stored + b" - 2 aaaaaaaa")
    projector = system.projectors[0]

    async def outside() -> bool:
        text = (await projector.get("/readyz")).text
        return "unknown shape: users.1 has 2" in text and "no partitions" in text

    await until(outside, "the projector outside the group")
    before = [key async for key in system.redis.scan_iter(match="{users.1}:document:*")]
    await system.add_events(20)
    others = [shard for shard in SHARDS if shard != "users.1"]
    await system.wait_until_caught_up(*others, seconds=60)
    after = [key async for key in system.redis.scan_iter(match="{users.1}:document:*")]
    assert sorted(before) == sorted(after)
    await system.redis.set(checkpoint_key("users.1"), stored)
    await projector.wait_until_ready()
    await system.verify_views()
