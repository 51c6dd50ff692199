"""GetDashboard: the shop in numbers, from one moment of each shard."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from query_service.consistency import Wanted, covering, wanted_of
from query_service.dashboard import DashboardDocument, add_up
from query_service.documents import parked_events
from query_service.http.answers import view_reply
from query_service.queries.query import READ_HEADERS, READ_PARAMETERS, READ_PROBLEMS, Reads
from shared.contracts.shards import Topic, all_shards, split_shard
from shared.contracts.views import checkpoint_key, dashboard_key, parked_key
from shared.http.messages import Reply, Request
from shared.http.operations import Operation
from shared.http.parameters import PARKED_ANSWER


def get_dashboard(reads: Reads) -> Operation:
    return Operation(
        method="GET",
        path="/v1/dashboard",
        handler=partial(_answer, reads),
        operation_id="GetDashboard",
        summary="GetDashboard",
        scopes=("orders:read:all",),
        response_model=DashboardDocument,
        tags=("dashboard",),
        problems=READ_PROBLEMS,
        parameters=READ_PARAMETERS,
        response_headers={**READ_HEADERS, "Tandem-Parked": PARKED_ANSWER},
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    by_shard: Mapping[str, Any]
    read: Mapping[str, int]
    parked: int

    def of(self, topic: Topic) -> list[Any]:
        """The parts of a topic's shards; one that never had an event may have none."""
        parts = self.by_shard.items()
        return [part for shard, part in parts if part and split_shard(shard)[0] == topic]


async def _answer(reads: Reads, request: Request) -> Reply:
    wanted = wanted_of(request, reads.partitions)
    parts = await reads.consistency.answer(wanted, partial(_read, reads, wanted))
    document = add_up(
        parts.of("orders"), parts.of("users"), parts.of("products"), reads.now().date()
    )
    token = covering(wanted, parts.read)
    return view_reply(orjson.dumps(document), token, private=True, parked=parts.parked)


async def _read(reads: Reads, wanted: Wanted | None) -> _Parts:
    shards = all_shards(reads.partitions)
    floors = reads.consistency.floors(shards)
    keys = [key(s) for key in (checkpoint_key, dashboard_key, parked_key) for s in shards]
    values, _ = await reads.reader.read(keys)
    count = len(shards)
    parts, parked = values[count : 2 * count], values[2 * count :]
    return _Parts(
        by_shard={s: part and orjson.loads(part) for s, part in zip(shards, parts, strict=True)},
        read=reads.consistency.check(floors, values[:count], wanted),
        parked=sum(map(parked_events, parked)),
    )
