"""GetParked: the aggregates with parked events, which their views do not contain yet."""

from collections.abc import Mapping
from functools import partial
from typing import Any

import orjson
from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.http.cursors import encode_cursor
from query_service.http.parameters import id_bytes, parse_id_cursor, parse_limit
from query_service.http.responses import list_response
from query_service.queries.list_query import list_operation, parse_list_request
from query_service.queries.query import QueryDependencies
from shared.contracts.shards import all_shards
from shared.contracts.views import ParkedEntry, checkpoint_key, decode_parked, parked_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation

_LIST_KEY = "parked"


class ParkedAggregate(TypedDict):
    """`type` and `since` are those of the first parked event, `reason` is the class of its error.

    `events` is 0 while the document is damaged and will be folded again.
    """

    shard: str
    id: str
    first_position: int
    events: int
    type: str | None
    reason: str | None
    since: str | None


class ParkedPage(TypedDict):
    items: list[ParkedAggregate]
    next: str | None


def get_parked(dependencies: QueryDependencies) -> Operation:
    return list_operation(
        name="GetParked",
        path="/v1/parked",
        tag="projections",
        page=ParkedPage,
        handler=partial(_handle, dependencies),
        scopes=("orders:read:all",),
        has_parked_header=False,
    )


async def _handle(dependencies: QueryDependencies, request: Request) -> Response:
    requirement, parameters = parse_list_request(request, dependencies)
    limit, before = parse_limit(parameters), parse_id_cursor(parameters, _LIST_KEY)
    positions, parked = await dependencies.consistency.read(
        requirement, partial(_read, dependencies, requirement)
    )
    parked = [aggregate for aggregate in parked if before is None or aggregate["id"] < before]
    page = parked[:limit]
    has_next = len(parked) > limit
    next = encode_cursor(_LIST_KEY, id_bytes(page[-1]["id"])) if has_next else None
    token = merged_token(requirement, positions)
    return list_response(map(orjson.dumps, page), next, token, private=True)


async def _read(
    dependencies: QueryDependencies, requirement: ConsistencyRequirement | None
) -> tuple[Mapping[str, int], list[ParkedAggregate]]:
    """The parked aggregates of all shards, newest first."""
    shards = all_shards(dependencies.partitions)
    floors = dependencies.consistency.floors(shards)
    parked_keys = [floors.key(shard, parked_key(shard)) for shard in shards]
    keys = [*map(checkpoint_key, shards), *parked_keys]
    values, _ = await dependencies.reader.read(keys)
    count = len(shards)
    positions = dependencies.consistency.check(floors, values[:count], requirement)
    parked = [
        _aggregate(shard, id, entry)
        for shard, stored in zip(shards, values[count:], strict=True)
        for id, entry in decode_parked(stored).items()
    ]
    return positions, sorted(parked, key=_id, reverse=True)


def _aggregate(shard: str, id: str, entry: ParkedEntry) -> ParkedAggregate:
    """Earlier versions did not store type, reason and time."""
    return {
        "shard": shard,
        "id": id,
        "first_position": entry.first_position,
        "events": entry.events,
        "type": entry.type or None,
        "reason": entry.reason or None,
        "since": entry.since or None,
    }


def _id(aggregate: Any) -> str:
    id: str = aggregate["id"]
    return id
