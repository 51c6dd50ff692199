"""`python -m projector dead-letters`: parked events are listed, shown and retried."""

import asyncio
from collections.abc import Sequence

import orjson
import pytest

from shared.contracts.records import Record
from tests.projector.commands import command
from tests.projector.harness import PARTITIONS, ProjectorSystem, with_data
from tests.projector.random_log import RandomLog
from tests.support.waiting import until


@pytest.fixture
async def poison(system: ProjectorSystem) -> list[Record]:
    """The records of an order whose second event was spoiled in the event log; it is parked."""
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = system.logs["orders.1"].take(200)
    subject = next(r.subject for r in records if sum(x.subject == r.subject for x in records) > 2)
    own = [record for record in records if record.subject == subject]
    spoiled = with_data(own[1], orjson.dumps({"id": subject, "version": "x", "carrier": "secret"}))
    await system.commit([*records[: spoiled.position - 1], spoiled, *records[spoiled.position :]])
    await system.publish([*records[: spoiled.position - 1], spoiled, *records[spoiled.position :]])
    await system.wait_until_caught_up("orders.1")
    return own


async def mend(system: ProjectorSystem, record: Record) -> None:
    await system.pool.execute(
        "UPDATE log SET data = $1 WHERE shard = $2 AND position = $3",
        record.data.decode(), record.shard, record.position,
    )  # fmt: skip


async def test_parked_events_are_listed_shown_and_retried(
    system: ProjectorSystem, poison: list[Record]
) -> None:
    id, number = poison[0].subject, len(poison) - 1
    status, lines, _ = await command(system, "dead-letters", "list")
    assert status == 0
    assert lines == [
        {
            "shard": "orders.1", "aggregate": id, "first": poison[1].position,
            "type": poison[1].type, "reason": "ValidationError", "events": number,
            "since": poison[1].time, "now": "ValidationError",
        }
    ]  # fmt: skip
    status, lines, _ = await command(system, "dead-letters", "show", id)
    assert status == 0
    assert [line["position"] for line in lines[1:]] == [record.position for record in poison[1:]]
    assert lines[1]["error"] == "ValidationError"
    assert "secret" not in orjson.dumps(lines).decode()
    status, lines, _ = await command(system, "dead-letters", "retry", id)
    assert (status, lines[0]["events"], lines[0]["remaining"]) == (1, 0, number)
    await mend(system, poison[1])
    status, lines, _ = await command(system, "dead-letters", "list", "orders.1")
    assert [line["now"] for line in lines] == ["foldable"]
    status, lines, _ = await command(system, "dead-letters", "retry", "--all")
    assert (status, lines[0]["events"], lines[0]["remaining"]) == (0, number, 0)
    assert await command(system, "dead-letters", "list") == (0, [], "")
    await system.verify_views("orders.1")


async def test_acquiring_a_shard_retries_its_parked_events(
    system: ProjectorSystem, poison: list[Record]
) -> None:
    await mend(system, poison[1])
    system.projectors[0].terminate()
    system.start_projector()

    async def folded() -> bool:
        return (await command(system, "dead-letters", "list"))[1] == []

    await until(folded, "parked events folded")
    await system.verify_views("orders.1")


async def test_retries_race_with_folding_and_with_each_other(
    system: ProjectorSystem, poison: list[Record]
) -> None:
    await mend(system, poison[1])
    events = asyncio.create_task(_add_events(system))
    results = await asyncio.gather(
        *(command(system, "dead-letters", "retry", poison[0].subject) for _ in range(3))
    )
    await events
    assert {status for status, _, _ in results} <= {0, 1}
    assert 0 in {status for status, _, _ in results}
    await system.verify_views("orders.1")


async def _add_events(system: ProjectorSystem) -> None:
    for _ in range(20):
        await system.add_events(10, ["orders.1"])
        await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "environment", "status"),
    [
        (("dead-letters", "list", "orders.99"), {}, 2),
        (("dead-letters", "show", "x"), {}, 2),
        (("dead-letters", "retry"), {}, 2),
        (("dead-letters", "show", "019cb1a5-02f1-7e4b-b5d0-93c4a1f08004"), {}, 1),
        (("dead-letters", "list"), {"REDIS_URL": "redis://127.0.0.1:1"}, 3),
    ],
)
async def test_exit_statuses(
    system: ProjectorSystem, arguments: Sequence[str], environment: dict[str, str], status: int
) -> None:
    found, _, errors = await command(system, *arguments, **environment)
    assert found == status
    assert "Traceback" not in errors


async def test_an_erasure_of_a_parked_user_leaves_nothing(system: ProjectorSystem) -> None:
    projector = system.start_projector()
    await projector.wait_until_ready()
    records = RandomLog("users.1", 8, PARTITIONS).take(300)
    erased = {record.subject for record in records if record.type == "user.erased"}
    records = [
        record._replace(type="user.waved") if record.type == "user.renamed" else record
        for record in records
    ]
    assert erased & {record.subject for record in records if record.type == "user.waved"}
    await system.commit(records)
    await system.publish(records)
    await system.verify_views("users.1")
    keys = [key.decode() async for key in system.redis.scan_iter(match="{users.1}:*")]
    assert not [key for key in keys for id in erased if id in key]
    _, lines, _ = await command(system, "dead-letters", "list")
    assert not erased & {line["aggregate"] for line in lines}
    assert {line["reason"] for line in lines} == {"UnknownType"}
