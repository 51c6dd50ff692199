"""Views that are lost between the round trips of one request."""

import asyncio
from collections.abc import Awaitable, Sequence
from datetime import UTC, datetime

import pytest
from prometheus_client import CollectorRegistry

from query_service.consistency import Consistency
from query_service.documents import Documents
from query_service.live.document_feed import DocumentFeed
from query_service.live.event_stream import Streams
from query_service.live.live_views import LiveViews
from query_service.metrics import StreamMetrics
from query_service.pages import Pages
from query_service.positions import Positions
from query_service.queries.query import QueryDependencies
from query_service.queries.registry import QUERIES
from query_service.reader import Reading, Values
from query_service.watcher import Watcher
from shared.contracts.views import Checkpoint, checkpoint_key, document_key, pack_document
from shared.http.caller import Caller
from shared.http.messages import Request, Response
from shared.http.problems import Problem
from shared.redis.exchange import RedisCommand

USER = "0199a000-0000-7000-8000-000000000001"
BODY = b'{"id":"x","name":"Red chair","description":"","status":"active"}'
ALL_SCOPES = Caller("me", frozenset(["users:read:all", "orders:read:all", "products:write"]))


class LosingReader:
    """A reader of one shard per topic that loses all data after some round trips."""

    def __init__(self, trips: int) -> None:
        self.remaining = trips
        self.values = {
            checkpoint_key(f"{topic}.0"): Checkpoint(3, 2, "").encode()
            for topic in ("users", "products", "orders")
        }
        for topic in ("users", "products", "orders"):
            self.values[document_key(f"{topic}.0", USER)] = pack_document(3, 3, USER, BODY)
        for topic in ("users", "products", "orders"):
            for version in (1, 2, 3):
                self.values[f"{{{topic}.0}}:history:{USER}:{version}"] = b"{}"

    async def _read_all(self, keys: Sequence[str], commands: Sequence[RedisCommand]) -> Reading:
        lost = self.remaining == 0
        self.remaining -= 1
        found = [] if lost else [USER.encode()]
        replies = [int(not lost) if command[0] == "ZCARD" else found for command in commands]
        return Reading([None if lost else self.values.get(key) for key in keys], replies)

    async def _values(self, keys: Sequence[str]) -> Values:
        return (await self._read_all(keys, ())).values

    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        return self._values(keys)

    def read(
        self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()
    ) -> Awaitable[Reading]:
        return self._read_all(keys, commands)


async def send(reader: LosingReader, template: str, query: bytes = b"") -> Response:
    positions = Positions()
    watcher = Watcher(reader.get, [], positions, max_waiting_reads=1, beat=lambda: None)
    consistency = Consistency(positions, watcher)
    documents = Documents(reader, positions, consistency, 1)
    pages = Pages(reader, consistency, 1)
    streams = Streams(
        max_streams=1, max_streams_per_caller=1, metrics=StreamMetrics(CollectorRegistry())
    )
    live = LiveViews(streams, DocumentFeed(documents, watcher, 1), watcher)
    dependencies = QueryDependencies(
        reader, consistency, documents, pages, live, 1, lambda: datetime.now(UTC)
    )
    [operation] = [o for o in (query(dependencies) for query in QUERIES) if o.path == template]
    request = Request("GET", template, {"id": USER}, query, caller=ALL_SCOPES)
    response = await operation.handler(request)
    assert isinstance(response, Response)
    return response


@pytest.mark.parametrize(
    ("template", "query", "trips"),
    [
        ("/v1/users/{id}", b"", 1),
        ("/v1/users", b"", 2),
        ("/v1/orders", b"", 2),
        ("/v1/products", b"", 2),
        ("/v1/products", b"q=chair", 2),
        ("/v1/products", b"q=red+chair", 3),
        ("/v1/users/{id}/orders", b"", 3),
        ("/v1/users/{id}/history", b"", 2),
        ("/v1/products/{id}/history", b"", 2),
    ],
)
async def test_a_loss_before_any_round_trip_is_503(template: str, query: bytes, trips: int) -> None:
    for done in range(trips):
        with pytest.raises(Problem) as raised:
            await send(LosingReader(done), template, query)
        assert raised.value.name == "unavailable", done
    response = await send(LosingReader(trips), template, query)
    assert response.status == 200
    assert b'"items":[]' not in response.body


async def test_documents_that_changed_between_the_round_trips_are_left_out() -> None:
    response = await send(LosingReader(9), "/v1/orders", b"status=placed")
    assert response.body == b'{"items":[],"next":null}'


async def test_too_many_waiting_reads_are_503_at_once() -> None:
    async def fetch(keys: Sequence[str]) -> Values:
        return [None for _ in keys]

    watcher = Watcher(fetch, [], Positions(), max_waiting_reads=0, beat=lambda: None)
    with pytest.raises(Problem) as raised:
        await watcher.wait_for({"users.1": 1}, asyncio.get_running_loop().time() + 5)
    assert raised.value.name == "unavailable"
