"""GetDashboard: the shop in numbers, from one moment of each shard."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from typing import Any

import orjson

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.dashboard import DashboardDocument, add_up
from query_service.documents import parked_events
from query_service.http.responses import view_response
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.shards import TOPICS, all_shards, split_shard
from shared.contracts.views import checkpoint_key, dashboard_key, parked_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import PARKED_HEADER


def get_dashboard(reads: QueryDependencies) -> Operation:
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
        response_headers={**READ_HEADERS, "Tandem-Parked": PARKED_HEADER},
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    stored: tuple[bytes | None, ...]
    read: Mapping[str, int]
    parked: int


async def _answer(reads: QueryDependencies, request: Request) -> Response:
    wanted = parse_consistency_headers(request, reads.partitions)
    shards = tuple(all_shards(reads.partitions))
    parts = await reads.consistency.answer(wanted, partial(_read, reads, shards, wanted))
    document = _document(shards, parts.stored, reads.now().date())
    return view_response(
        document, merged_token(wanted, parts.read), private=True, parked=parts.parked
    )


@lru_cache(maxsize=2)
def _document(shards: Sequence[str], stored: Sequence[bytes | None], today: date) -> bytes:
    """Added up once for all who ask before a part changes. A shard without events has no part."""
    parts: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
    for shard, part in zip(shards, stored, strict=True):
        if part is not None:
            parts[split_shard(shard)[0]].append(orjson.loads(part))
    return orjson.dumps(add_up(parts["orders"], parts["users"], parts["products"], today))


async def _read(
    reads: QueryDependencies, shards: Sequence[str], wanted: ConsistencyRequirement | None
) -> _Parts:
    floors = reads.consistency.floors(list(shards))
    keys = [key(s) for key in (checkpoint_key, dashboard_key, parked_key) for s in shards]
    values, _ = await reads.reader.read(keys)
    count = len(shards)
    return _Parts(
        stored=tuple(values[count : 2 * count]),
        read=reads.consistency.check(floors, values[:count], wanted),
        parked=sum(map(parked_events, values[2 * count :])),
    )
