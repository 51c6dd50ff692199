"""Documents as streams of server-sent events, read with httpx-sse."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import httpx
import pytest
from httpx_sse import EventSource, ServerSentEvent, aconnect_sse
from redis.asyncio import Redis

from query_service.live import event_stream
from shared.contracts.events import OrderAnonymized, UserErased, UserRenamed
from shared.contracts.shards import shard_of
from shared.contracts.tokens import format_token
from shared.contracts.views import checkpoint_key, document_key, pack_document
from tests.query_service.conftest import Settings, serving
from tests.query_service.shop import Shop, token
from tests.support.identity import Identity
from tests.support.waiting import until


class Stream:
    """The events of an open stream."""

    def __init__(self, source: EventSource) -> None:
        self.response = source.response
        self._events = source.aiter_sse()

    async def next(self, within_s: float = 5.0) -> ServerSentEvent:
        async with asyncio.timeout(within_s):
            return await anext(self._events)

    async def rest(self, within_s: float = 5.0) -> list[ServerSentEvent]:
        """The events until the stream ends."""
        async with asyncio.timeout(within_s):
            return [event async for event in self._events]

    async def is_silent(self, for_s: float = 0.6) -> bool:
        """Whether no event arrives. The stream cannot be read afterwards."""
        try:
            await self.next(for_s)
        except TimeoutError:
            return True
        return False


@asynccontextmanager
async def stream(client: httpx.AsyncClient, path: str, **headers: str) -> AsyncIterator[Stream]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    async with aconnect_sse(client, "GET", path, headers=named) as source:
        yield Stream(source)


async def rename(shop: Shop, user: str, name: str) -> str:
    return await shop.apply(UserRenamed(id=user, version=shop.next(user), name=name))


async def open_streams(queries: httpx.AsyncClient) -> int:
    for line in (await queries.get("/metrics")).text.splitlines():
        if line.startswith("tandem_streams "):
            return int(float(line.split()[1]))
    raise AssertionError("the metric is missing")


async def test_a_stream_sends_the_document_and_each_newer_state(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user("Ada")
    async with stream(queries, f"/v1/users/{user}/stream") as events:
        assert events.response.status_code == 200
        assert events.response.headers["cache-control"] == "private, no-cache"
        first = await events.next()
        assert (first.event, first.id) == ("message", "1")
        assert first.json() == (await queries.get(f"/v1/users/{user}")).json()
        await asyncio.sleep(0.5)
        started = time.monotonic()
        await rename(shop, user, "Grace")
        second = await events.next()
        assert time.monotonic() - started < 0.5
        assert (second.id, second.json()["name"]) == ("2", "Grace")


async def test_the_stream_of_an_order_has_its_states_and_its_anonymization(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    order = await shop.order(user)
    async with stream(queries, f"/v1/orders/{order}/stream") as events:
        assert (await events.next()).json()["status"] == "placed"
        await shop.ship(order)
        assert (await events.next()).json()["status"] == "shipped"
        await shop.apply(OrderAnonymized(id=order, version=shop.next(order)))
        assert (await events.next()).json()["shipping_address"] is None


@pytest.mark.parametrize(("last_id", "sent"), [("1", "2"), ("0", "2"), ("x", "2"), ("", "2")])
async def test_a_stream_resumes_with_the_current_document_if_it_is_newer(
    shop: Shop, queries: httpx.AsyncClient, last_id: str, sent: str
) -> None:
    user = await shop.user()
    await rename(shop, user, "Grace")
    async with stream(queries, f"/v1/users/{user}/stream", last_event_id=last_id) as events:
        assert (await events.next()).id == sent


async def test_a_stream_that_resumes_with_the_current_version_sends_only_newer_ones(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    async with stream(queries, f"/v1/users/{user}/stream", last_event_id="1") as events:
        await asyncio.sleep(0.4)
        await rename(shop, user, "Grace")
        assert (await events.next()).id == "2"


async def test_the_stream_of_an_erased_user_ends_with_gone_and_then_is_404(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    async with stream(queries, f"/v1/users/{user}/stream") as events:
        await events.next()
        await shop.apply(UserErased(id=user, version=shop.next(user)))
        [gone] = await events.rest()
        assert (gone.event, gone.data) == ("gone", "{}")
    assert (await queries.get(f"/v1/users/{user}/stream")).status_code == 404


async def test_a_user_without_personal_fields_is_never_sent(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    """Such a document exists between the events of a user who has been erased in the log."""
    user = await shop.user()
    key = document_key(shard_of("users", user, 12), user)
    body = (await queries.get(f"/v1/users/{user}")).json()
    async with stream(queries, f"/v1/users/{user}/stream") as events:
        await events.next()
        erased = {**body, "name": None, "version": 2}
        content = json.dumps(erased, separators=(",", ":")).encode()
        await shop.admin.set(key, pack_document(2, 2, user, content))
        await touch(shop.admin, shard_of("users", user, 12), 2)
        await asyncio.sleep(0.5)
        await shop.admin.delete(key)
        await touch(shop.admin, shard_of("users", user, 12), 3)
        [gone] = await events.rest()
        assert gone.event == "gone"


async def touch(admin: Redis, shard: str, position: int) -> None:
    await admin.set(checkpoint_key(shard), f"{position} {position - 1} - 0")


async def test_access_is_that_of_the_document(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    ada, grace = await shop.user("Ada"), await shop.user("Grace")
    order = await shop.order(ada)
    own = identity.headers(ada, "users:read orders:read")
    other = identity.headers(grace, "users:read orders:read")
    for path in (f"/v1/users/{ada}/stream", f"/v1/orders/{order}/stream"):
        async with stream(queries, path, **own) as events:
            assert (await events.next()).id == "1"
        response = await queries.get(path, headers=other)
        assert response.status_code == 404
        assert response.headers["cache-control"] == "private, no-cache"
        assert "consistency-token" in response.headers
        assert (await queries.get(path, headers={"Authorization": ""})).status_code == 401
        scope = identity.headers(ada, "products:write")
        assert (await queries.get(path, headers=scope)).status_code == 403
    assert (await queries.get("/v1/dashboard/stream", headers=own)).status_code == 403
    for missing in (f"/v1/users/{shop.new_id()}/stream", "/v1/users/1/stream"):
        assert (await queries.get(missing)).status_code == 404


async def test_head_has_the_headers_only(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    for path in (f"/v1/users/{user}/stream", "/v1/dashboard/stream"):
        async with asyncio.timeout(5):
            response = await queries.head(path)
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"].startswith("text/event-stream")
    assert (await queries.head(f"/v1/users/{shop.new_id()}/stream")).status_code == 404
    assert await open_streams(queries) == 0


async def test_a_stream_is_opened_at_the_position_of_a_token(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    path = f"/v1/users/{user}/stream"
    behind = {"Consistency-Token": token(record), "Prefer": "wait=0"}
    assert (await queries.get(path, headers=behind)).status_code == 412
    opening = asyncio.create_task(first_event(queries, path, consistency_token=token(record)))
    await asyncio.sleep(0.3)
    await shop.fold(record)
    assert (await opening).id == "2"


async def first_event(client: httpx.AsyncClient, path: str, **headers: str) -> ServerSentEvent:
    async with stream(client, path, **headers) as events:
        return await events.next()


async def test_the_dashboard_is_streamed_with_opaque_ids(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    path = "/v1/dashboard/stream"
    async with stream(queries, path) as events:
        first = await events.next()
        assert first.json() == (await queries.get("/v1/dashboard")).json()
        user = await shop.user()
        second = await events.next()
        assert second.json()["users"] == 1
        assert second.id not in ("", first.id)
    async with stream(queries, path, last_event_id=second.id) as events:
        await rename(shop, user, "Grace")  # does not change the dashboard
        await asyncio.sleep(0.5)
        await shop.user()
        assert (await events.next()).json()["users"] == 2
    async with stream(queries, path, last_event_id=first.id) as events:
        assert (await events.next()).json()["users"] == 2


@pytest.mark.parametrize("path", ["/v1/users/{user}/stream", "/v1/dashboard/stream"])
async def test_a_stream_ends_when_its_shard_becomes_unreadable(
    shop: Shop, queries: httpx.AsyncClient, path: str
) -> None:
    user = await shop.user()
    path = path.format(user=user)
    async with stream(queries, path) as events:
        await events.next()
        await shop.admin.delete(checkpoint_key(shard_of("users", user, 12)))
        [end] = await events.rest()
        assert end.event == "message"
        assert end.data == ""
        assert end.retry is not None
    assert (await queries.get(path)).status_code == 503


async def test_a_stream_ends_when_the_token_expires(
    shop: Shop, queries: httpx.AsyncClient, identity: Identity
) -> None:
    user = await shop.user()
    bearer = identity.token(user, "users:read", exp=int(time.time()) + 3)
    opened = time.monotonic()
    async with stream(
        queries, f"/v1/users/{user}/stream", Authorization=f"Bearer {bearer}"
    ) as events:
        assert [event.id for event in await events.rest(10)] == ["1"]
    assert 1.5 < time.monotonic() - opened < 6
    assert await open_streams(queries) == 0


async def test_a_comment_is_sent_while_nothing_changes(
    shop: Shop, queries: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert event_stream.KEEP_ALIVE_S < 15
    monkeypatch.setattr(event_stream, "KEEP_ALIVE_S", 0.2)
    user = await shop.user()
    async with queries.stream("GET", f"/v1/users/{user}/stream") as response:
        lines = response.aiter_lines()
        async with asyncio.timeout(5):
            while not (await anext(lines)).startswith(":"):
                pass


async def test_streams_end_with_a_retry_time_when_the_service_stops(
    shop: Shop, settings: Settings, identity: Identity
) -> None:
    user = await shop.user()
    paths = (f"/v1/users/{user}/stream", "/v1/dashboard/stream")
    changed = settings()
    url = f"http://127.0.0.1:{changed.port}"
    async with httpx.AsyncClient(base_url=url, headers=identity.headers(), timeout=30) as client:
        async with serving(changed, identity) as queries:
            reading = [asyncio.create_task(all_events(client, path)) for path in paths]

            async def opened() -> bool:
                return await open_streams(queries) == 2

            await until(opened, "two streams are open")
            await asyncio.sleep(0.2)
            stopped = time.monotonic()
        assert time.monotonic() - stopped < 5
        for events in await asyncio.gather(*reading):
            assert [event.retry is None for event in events] == [True, False]


async def all_events(client: httpx.AsyncClient, path: str) -> list[ServerSentEvent]:
    async with stream(client, path) as events:
        return await events.rest(30)


async def test_streams_are_limited_per_caller_and_in_total(
    shop: Shop, settings: Settings, identity: Identity
) -> None:
    user = await shop.user()
    path = f"/v1/users/{user}/stream"
    limits = settings(max_streams=3, max_streams_per_caller=2)
    async with serving(limits, identity) as queries:
        others = [identity.headers(f"other-{n}") for n in range(3)]
        async with stream(queries, path) as a, stream(queries, path) as b:
            await a.next(), await b.next()
            response = await queries.get(path)
            assert response.status_code == 503
            assert int(response.headers["retry-after"]) >= 1
            async with stream(queries, path, **others[0]) as c:
                await c.next()
                assert (await queries.get(path, headers=others[1])).status_code == 503
        metrics = (await queries.get("/metrics")).text
        assert 'tandem_streams_rejected_total{limit="caller"} 1.0' in metrics
        assert 'tandem_streams_rejected_total{limit="total"} 1.0' in metrics

        async def closed() -> bool:
            return await open_streams(queries) == 0

        await until(closed, "the streams of clients that left are closed")
        async with stream(queries, path) as again:
            assert (await again.next()).id == "1"


async def test_a_slow_reader_skips_states(shop: Shop, queries: httpx.AsyncClient) -> None:
    """A thousand states while nothing is read; the last one arrives."""
    user = await shop.user()
    shard = shard_of("users", user, 12)
    body = (await queries.get(f"/v1/users/{user}")).content
    filler = b" " * 20_000
    async with stream(queries, f"/v1/users/{user}/stream") as events:
        await events.next()
        for version in range(2, 202):
            document = pack_document(version, version, user, body + filler)
            await shop.admin.set(document_key(shard, user), document)
            await touch(shop.admin, shard, version)
            await shop.admin.spublish(checkpoint_key(shard), f"{version} {version - 1} - 0")
            await asyncio.sleep(0.005)
        received = [int((await events.next()).id)]
        while received[-1] < 201:
            received.append(int((await events.next()).id))
    assert received == sorted(set(received))
    assert len(received) < 150


async def test_a_client_that_does_not_read_is_disconnected(
    shop: Shop, settings: Settings, identity: Identity
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    limits = settings(send_timeout_seconds=1, rate_limit=0)
    async with serving(limits, identity) as queries:
        body = (await queries.get(f"/v1/users/{user}")).content
        async with stream(queries, f"/v1/users/{user}/stream") as events:
            await events.next()
            assert await open_streams(queries) == 1
            deadline = time.monotonic() + 20
            version = 1
            while await open_streams(queries):
                assert time.monotonic() < deadline
                version += 1
                document = pack_document(version, version, user, body + b" " * 100_000)
                await shop.admin.set(document_key(shard, user), document)
                await touch(shop.admin, shard, version)
                await shop.admin.spublish(checkpoint_key(shard), f"{version} {version - 1} - 0")


async def test_many_streams_of_a_shard_share_reads(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    path = f"/v1/users/{user}/stream"
    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(read_until(queries, path, "3")) for _ in range(50)]

        async def opened() -> bool:
            return await open_streams(queries) == 50

        await until(opened, "the streams are open")
        await asyncio.sleep(0.5)
        before = (await shop.admin.info("commandstats"))["cmdstat_mget"]["calls"]
        await rename(shop, user, "Grace")
        await asyncio.sleep(0.3)
        after = (await shop.admin.info("commandstats"))["cmdstat_mget"]["calls"]
        assert after - before < 10
        await rename(shop, user, "Ada")
    assert all("2" in task.result() for task in reading)


async def read_until(client: httpx.AsyncClient, path: str, last: str) -> list[str]:
    ids: list[str] = []
    async with stream(client, path) as events:
        while last not in ids:
            ids.append((await events.next(20)).id)
    return ids


async def test_a_token_of_other_shards_does_not_delay_a_stream(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    sent = format_token({"orders.3": 900})
    assert (
        await first_event(queries, f"/v1/users/{user}/stream", consistency_token=sent)
    ).id == "1"
