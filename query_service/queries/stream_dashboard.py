"""StreamDashboard: the figures of the shop, live."""

from query_service.consistency import ConsistencyRequirement, parse_consistency_headers
from query_service.dashboard import DashboardDocument
from query_service.live.event_stream import EventStream
from query_service.live.state_feed import StateFeed, state_id
from query_service.live.subscriber import Subscriber, encode_event
from query_service.queries.get_dashboard import read_dashboard
from query_service.queries.query import QueryDependencies
from query_service.queries.stream_query import stream_operation
from shared.http.messages import Request
from shared.http.operations import Operation


def stream_dashboard(dependencies: QueryDependencies) -> Operation:
    return stream_operation(
        _DashboardStreamEndpoint(dependencies),
        name="StreamDashboard",
        path="/v1/dashboard/stream",
        tag="dashboard",
        scopes=("orders:read:all",),
        document=DashboardDocument,
        ids="opaque",
    )


class _DashboardStreamEndpoint:
    def __init__(self, dependencies: QueryDependencies) -> None:
        self._dependencies = dependencies
        self._live = dependencies.live
        self._feed = StateFeed(self._read, dependencies.live.watcher)

    async def __call__(self, request: Request) -> EventStream:
        requirement = parse_consistency_headers(request, self._dependencies.partitions)
        caller = request.caller
        assert caller is not None  # the operation requires a scope
        self._live.streams.check(caller)
        document = await self._read(requirement)
        last_id = request.headers.single(b"last-event-id") or ""
        subscriber = Subscriber(last_id.encode("latin-1"))
        id = state_id(document)
        if id != subscriber.last_id:
            subscriber.offer(id, encode_event(id, document))
        return EventStream(self._live.streams, caller, subscriber, self._feed.following)

    async def _read(self, requirement: ConsistencyRequirement | None = None) -> bytes:
        document, _, _ = await read_dashboard(self._dependencies, requirement)
        return document
