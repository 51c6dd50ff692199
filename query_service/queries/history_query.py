"""Queries of an aggregate's history, oldest first; its items are stored as JSON."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, cast

from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.documents import StoredDocument
from query_service.http.cursors import encode_cursor
from query_service.http.parameters import (
    parse_limit,
    parse_path_id,
    parse_version_cursor,
    version_bytes,
)
from query_service.http.responses import list_response, not_found
from query_service.positions import GenerationChanged
from query_service.queries.access import require_visible
from query_service.queries.list_query import list_operation, parse_list_request
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import HistoryItem
from shared.contracts.shards import Topic
from shared.contracts.views import checkpoint_key, history_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.problems import unavailable

_MAX_ATTEMPTS: Final = 3


class HistoryPage(TypedDict):
    items: list[HistoryItem]
    next: str | None


def history_query(
    dependencies: QueryDependencies,
    *,
    name: str,
    path: str,
    topic: Topic,
    scopes: tuple[str, ...],
    owned: bool = True,
) -> Operation:
    """`owned`: the last scope is the unrestricted one; otherwise any scope is sufficient."""
    unrestricted_scope = scopes[-1] if owned else None
    return list_operation(
        name=name,
        path=path,
        tag=topic,
        page=HistoryPage,
        handler=HistoryEndpoint(dependencies, topic, unrestricted_scope),
        scopes=scopes,
        problems=("not-found",),
        has_parked_header=False,
    )


@dataclass(frozen=True, slots=True)
class _Items:
    items: Sequence[bytes]
    last_version: int
    has_next: bool
    positions: Mapping[str, int]


class HistoryEndpoint:
    """Handles GET of the histories of one topic's aggregates."""

    def __init__(
        self, dependencies: QueryDependencies, topic: Topic, unrestricted_scope: str | None
    ) -> None:
        self._dependencies = dependencies
        self._topic: Topic = topic
        self._unrestricted_scope = unrestricted_scope

    async def __call__(self, request: Request) -> Response:
        requirement, parameters = parse_list_request(request, self._dependencies)
        id = parse_path_id(request)
        list_key = f"history of {self._topic} {id}"
        limit, after = parse_limit(parameters), parse_version_cursor(parameters, list_key)
        if id is None:
            raise not_found(merged_token(requirement, {}), private=True)
        found = await self._read(request, id, after, limit, requirement)
        last = version_bytes(found.last_version)
        next = encode_cursor(list_key, last) if found.has_next else None
        token = merged_token(requirement, found.positions)
        return list_response(found.items, next, token, private=True)

    async def _read(
        self,
        request: Request,
        id: str,
        after: int,
        limit: int,
        requirement: ConsistencyRequirement | None,
    ) -> _Items:
        """The items of versions greater than `after`.

        Retried if one disappears during the read, or the views are replaced.
        """
        for _ in range(_MAX_ATTEMPTS):
            document = await self._dependencies.documents.find(self._topic, id, requirement)
            version, _ = require_visible(
                document, requirement, request.caller, self._unrestricted_scope, private=True
            )
            last = min(int(version), after + limit)
            try:
                positions, items = await self._fetch(document, id, range(after + 1, last + 1))
            except GenerationChanged:
                continue
            if None not in items:
                return _Items(cast("list[bytes]", items), last, last < int(version), positions)
        raise unavailable("the history is changing; retry later")

    async def _fetch(
        self, document: StoredDocument, id: str, versions: range
    ) -> tuple[Mapping[str, int], list[bytes | None]]:
        """The shard's current position, and the items; None for one that no longer exists."""
        shard = document.shard
        floors = document.positions
        keys = [floors.key(shard, history_key(shard, id, version)) for version in versions]
        values, _ = await self._dependencies.reader.read([checkpoint_key(shard), *keys])
        return self._dependencies.consistency.check(floors, values[:1]), values[1:]
