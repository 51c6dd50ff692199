"""GetDashboard: order, revenue, user and product figures; each shard's are read atomically."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache, partial
from typing import Any

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.dashboard import DashboardDocument, sum_parts
from query_service.documents import count_parked
from query_service.http.responses import view_response
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.dashboard_parts import decode_part, encode_figures
from shared.contracts.shards import TOPICS, all_shards, split_shard
from shared.contracts.views import checkpoint_key, dashboard_key, parked_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.parameters import PARKED_HEADER


def get_dashboard(dependencies: QueryDependencies) -> Operation:
    return Operation(
        method="GET",
        path="/v1/dashboard",
        handler=partial(_handle, dependencies),
        operation_id="GetDashboard",
        summary="GetDashboard",
        scopes=("orders:read:all",),
        response_model=DashboardDocument,
        tags=("dashboard",),
        cost=3.0,
        problems=READ_PROBLEMS,
        parameters=READ_PARAMETERS,
        response_headers={**READ_HEADERS, "Tandem-Parked": PARKED_HEADER},
    )


@dataclass(frozen=True, slots=True)
class _Parts:
    stored: tuple[bytes | None, ...]
    positions: Mapping[str, int]
    parked: int


async def _handle(dependencies: QueryDependencies, request: Request) -> Response:
    requirement = parse_consistency_headers(request, dependencies.partitions)
    document, positions, parked = await read_dashboard(dependencies, requirement)
    return view_response(
        document, merged_token(requirement, positions), private=True, parked=parked
    )


async def read_dashboard(
    dependencies: QueryDependencies, requirement: ConsistencyRequirement | None
) -> tuple[bytes, Mapping[str, int], int]:
    """The document, the positions of the shards, and the number of parked events.

    Raises 412 and 503.
    """
    shards = tuple(all_shards(dependencies.partitions))
    parts = await dependencies.consistency.read(
        requirement, partial(_read, dependencies, shards, requirement)
    )
    document = _document(shards, parts.stored, dependencies.now().date())
    return document, parts.positions, parts.parked


@lru_cache(maxsize=2)
def _document(shards: Sequence[str], stored: Sequence[bytes | None], today: date) -> bytes:
    """Cached until a part or the day changes. A shard without events has no part."""
    parts: dict[str, list[Any]] = {topic: [] for topic in TOPICS}
    for shard, part in zip(shards, stored, strict=True):
        if part is not None:
            parts[split_shard(shard)[0]].append(decode_part(part))
    figures = sum_parts(parts["orders"], parts["users"], parts["products"], today)
    return encode_figures(figures)


async def _read(
    dependencies: QueryDependencies,
    shards: Sequence[str],
    requirement: ConsistencyRequirement | None,
) -> _Parts:
    floors = dependencies.consistency.floors(list(shards))
    of_generation = [floors.key(s, key(s)) for key in (dashboard_key, parked_key) for s in shards]
    keys = [*map(checkpoint_key, shards), *of_generation]
    values, _ = await dependencies.reader.read(keys)
    count = len(shards)
    return _Parts(
        stored=tuple(values[count : 2 * count]),
        positions=dependencies.consistency.check(floors, values[:count], requirement),
        parked=sum(map(count_parked, values[2 * count :])),
    )
