"""GetProjections: where the views are, also while they are missing or behind."""

from functools import partial

import orjson
from typing_extensions import TypedDict

from query_service.consistency import (
    ConsistencyRequirement,
    merged_token,
    parse_consistency_headers,
)
from query_service.documents import parked_events
from query_service.http.responses import view_response
from query_service.positions import decode_checkpoint
from query_service.queries.query import (
    READ_HEADERS,
    READ_PARAMETERS,
    READ_PROBLEMS,
    QueryDependencies,
)
from query_service.watcher import decode_head
from shared.contracts.shards import all_shards
from shared.contracts.views import checkpoint_key, head_key, parked_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation


class ShardProjection(TypedDict):
    """`position` is 0 where views are missing; `age_seconds` null where it is not known."""

    shard: str
    position: int
    head: int
    lag: int
    age_seconds: float | None
    parked: int


class Projections(TypedDict):
    """`lag` is the shards' sum, `age_seconds` their largest; null where one is not known."""

    shards: list[ShardProjection]
    lag: int
    age_seconds: float | None


def get_projections(reads: QueryDependencies) -> Operation:
    return Operation(
        method="GET",
        path="/v1/projections",
        handler=partial(_answer, reads),
        operation_id="GetProjections",
        summary="GetProjections",
        description="Answered also while views are missing, so that people can look.",
        scopes=("orders:read:all",),
        response_model=Projections,
        tags=("projections",),
        problems=READ_PROBLEMS,
        parameters=READ_PARAMETERS,
        response_headers=READ_HEADERS,
    )


async def _answer(reads: QueryDependencies, request: Request) -> Response:
    wanted = parse_consistency_headers(request, reads.partitions)
    shards = await reads.consistency.answer(wanted, partial(_read, reads, wanted))
    ages = [shard["age_seconds"] for shard in shards]
    known = [age for age in ages if age is not None]
    answer: Projections = {
        "shards": shards,
        "lag": sum(shard["lag"] for shard in shards),
        "age_seconds": max(known) if len(known) == len(ages) else None,
    }
    token = merged_token(wanted, {shard["shard"]: shard["position"] for shard in shards})
    return view_response(orjson.dumps(answer), token, private=True)


async def _read(
    reads: QueryDependencies, wanted: ConsistencyRequirement | None
) -> list[ShardProjection]:
    shards = all_shards(reads.partitions)
    floors = reads.consistency.floors(shards)
    keys = [key(s) for key in (checkpoint_key, head_key, parked_key) for s in shards]
    values, _ = await reads.reader.read(keys)
    count = len(shards)
    checkpoints, heads, parked = values[:count], values[count : 2 * count], values[2 * count :]
    if wanted is not None:
        stored = dict(zip(shards, checkpoints, strict=True))
        named = {shard: floors[shard] for shard in shards if shard in wanted.positions}
        reads.consistency.check(named, map(stored.__getitem__, named), wanted)
    now_ms = int(reads.now().timestamp() * 1000)
    return [
        _shard(*of_shard, now_ms)
        for of_shard in zip(shards, checkpoints, heads, parked, strict=True)
    ]


def _shard(
    shard: str,
    checkpoint: bytes | None,
    stored_head: bytes | None,
    parked: bytes | None,
    now_ms: int,
) -> ShardProjection:
    found, known = decode_checkpoint(checkpoint), decode_head(stored_head)
    position = 0 if found is None else found.position
    head = position if known is None else max(known.position, position)
    return {
        "shard": shard,
        "position": position,
        "head": head,
        "lag": head - position,
        "age_seconds": None if known is None else max(0, now_ms - known.caught_up_at_ms) / 1000,
        "parked": parked_events(parked),
    }
