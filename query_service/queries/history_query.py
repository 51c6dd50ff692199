"""What happened to an aggregate, oldest first: its history's items, as they are stored."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

from typing_extensions import TypedDict

from query_service.consistency import ConsistencyRequirement, merged_token
from query_service.documents import Found
from query_service.http.cursors import encode_cursor
from query_service.http.parameters import limit_of, path_id, version_cursor, version_place
from query_service.http.responses import list_response, not_found
from query_service.queries.access import visible
from query_service.queries.list_query import asked, list_operation
from query_service.queries.query import QueryDependencies
from shared.contracts.documents import HistoryItem
from shared.contracts.shards import Topic
from shared.contracts.views import checkpoint_key, history_key
from shared.http.messages import Request, Response
from shared.http.operations import Operation
from shared.http.problems import unavailable

_ATTEMPTS: Final = 3


class HistoryPage(TypedDict):
    items: list[HistoryItem]
    next: str | None


def history_query(
    reads: QueryDependencies,
    *,
    name: str,
    path: str,
    topic: Topic,
    scopes: tuple[str, ...],
    owned: bool = True,
) -> Operation:
    """`owned`: the last scope reaches everybody's; else the scope alone decides."""
    unrestricted_scope = scopes[-1] if owned else None
    return list_operation(
        name=name,
        path=path,
        topic=topic,
        page=HistoryPage,
        handler=HistoryEndpoint(reads, topic, unrestricted_scope),
        scopes=scopes,
        problems=("not-found",),
        description="What happened, oldest first.",
        tells_parked=False,
    )


@dataclass(frozen=True, slots=True)
class _Section:
    items: Sequence[bytes]
    last: int
    more: bool
    read: dict[str, int]


class HistoryEndpoint:
    """Answers the histories of one topic's aggregates."""

    def __init__(
        self, reads: QueryDependencies, topic: Topic, unrestricted_scope: str | None
    ) -> None:
        self._reads = reads
        self._topic: Topic = topic
        self._unrestricted_scope = unrestricted_scope

    async def __call__(self, request: Request) -> Response:
        wanted, parameters = asked(request, self._reads)
        id = path_id(request)
        walk = f"history of {self._topic} {id}"
        limit, after = limit_of(parameters), version_cursor(parameters, walk)
        if id is None:
            raise not_found(merged_token(wanted, {}), private=True)
        section = await self._section(request, id, after, limit, wanted)
        next = encode_cursor(walk, version_place(section.last)) if section.more else None
        return list_response(section.items, next, merged_token(wanted, section.read), private=True)

    async def _section(
        self,
        request: Request,
        id: str,
        after: int,
        limit: int,
        wanted: ConsistencyRequirement | None,
    ) -> _Section:
        """The items of versions after `after`. What changes under our eyes is read again."""
        for _ in range(_ATTEMPTS):
            found = await self._reads.documents.find(self._topic, id, wanted)
            version, _ = visible(
                found, wanted, request.caller, self._unrestricted_scope, private=True
            )
            last = min(int(version), after + limit)
            read, items = await self._items(found, id, range(after + 1, last + 1))
            if None not in items:
                return _Section(cast("list[bytes]", items), last, last < int(version), read)
        raise unavailable("the history changes; try again")

    async def _items(
        self, found: Found, id: str, versions: range
    ) -> tuple[dict[str, int], list[bytes | None]]:
        """Where the shard is now, and the items; None for one that has gone since."""
        shard = found.shard
        keys = [history_key(shard, id, version) for version in versions]
        values, _ = await self._reads.reader.read([checkpoint_key(shard), *keys])
        return self._reads.consistency.check(found.read, values[:1]), values[1:]
