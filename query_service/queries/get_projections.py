"""GetProjections: the position, lag and age of each shard's views."""

from functools import partial

import orjson
from typing_extensions import TypedDict

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.documents import count_parked
from query_service.http.responses import view_response
from query_service.positions import lag_of
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from shared.contracts.shards import all_shards
from shared.contracts.views import (
    checkpoint_key,
    decode_checkpoint,
    decode_head,
    head_key,
    parked_key,
)
from shared.http.messages import Request, Response
from shared.http.operations import Operation


class ShardProjection(TypedDict):
    """`position` is 0 if the views are missing; `age_seconds` is null if it is unknown.

    `lag` is at least 1 if no projector has observed the head for 10 s: it may have moved.
    """

    shard: str
    position: int
    head: int
    lag: int
    age_seconds: float | None
    parked: int


class Projections(TypedDict):
    """`lag` is the sum over all shards; `age_seconds` the maximum, or null if one is unknown."""

    shards: list[ShardProjection]
    lag: int
    age_seconds: float | None


def get_projections(dependencies: QueryDependencies) -> Operation:
    return Operation(
        method="GET",
        path="/v1/projections",
        handler=partial(_handle, dependencies),
        operation_id="GetProjections",
        summary="GetProjections",
        description="Available even if views are missing or behind.",
        scopes=("orders:read:all",),
        response_model=Projections,
        tags=("projections",),
        cost=3.0,
        problems=READ_PROBLEMS,
        parameters=READ_PARAMETERS,
        response_headers=READ_HEADERS,
    )


async def _handle(dependencies: QueryDependencies, request: Request) -> Response:
    requirement = parse_consistency_headers(request, dependencies.partitions)
    shards = await dependencies.consistency.read(
        requirement, partial(_read, dependencies, requirement)
    )
    ages = [shard["age_seconds"] for shard in shards]
    known = [age for age in ages if age is not None]
    projections: Projections = {
        "shards": shards,
        "lag": sum(shard["lag"] for shard in shards),
        "age_seconds": max(known) if len(known) == len(ages) else None,
    }
    token = merged_token(requirement, {shard["shard"]: shard["position"] for shard in shards})
    return view_response(orjson.dumps(projections), token, private=True)


async def _read(
    dependencies: QueryDependencies, requirement: ConsistencyRequirement | None
) -> list[ShardProjection]:
    shards = all_shards(dependencies.partitions)
    floors = dependencies.consistency.floors(shards)
    parked_keys = [floors.key(shard, parked_key(shard)) for shard in shards]
    keys = [*map(checkpoint_key, shards), *map(head_key, shards), *parked_keys]
    values, _ = await dependencies.reader.read(keys)
    count = len(shards)
    checkpoints, heads, parked = values[:count], values[count : 2 * count], values[2 * count :]
    if requirement is not None:
        stored = dict(zip(shards, checkpoints, strict=True))
        required = floors.only(requirement.positions)
        dependencies.consistency.check(required, map(stored.__getitem__, required), requirement)
    dependencies.consistency.require_generations(floors, checkpoints)
    now_ms = int(dependencies.now().timestamp() * 1000)
    return [
        _shard_projection(*columns, now_ms)
        for columns in zip(shards, checkpoints, heads, parked, strict=True)
    ]


def _shard_projection(
    shard: str,
    stored_checkpoint: bytes | None,
    stored_head: bytes | None,
    parked: bytes | None,
    now_ms: int,
) -> ShardProjection:
    checkpoint, head = decode_checkpoint(stored_checkpoint), decode_head(stored_head)
    position = 0 if checkpoint is None else checkpoint.position
    head_position = position if head is None else max(head.position, position)
    return {
        "shard": shard,
        "position": position,
        "head": head_position,
        "lag": lag_of(position, head, now_ms),
        "age_seconds": None if head is None else max(0, now_ms - head.caught_up_at_ms) / 1000,
        "parked": count_parked(parked),
    }
