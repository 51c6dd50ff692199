"""If views are unreadable, reads get 503, never an empty 200 and never 404."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from deploy.local.ports import free_ports
from shared.contracts.events import UserRenamed
from shared.contracts.shards import shard_of
from shared.contracts.views import Head, checkpoint_key, document_key
from tests.query_service.conftest import Settings, serving
from tests.query_service.shop import Shop, token
from tests.support.identity import Identity
from tests.support.servers import Valkey
from tests.support.waiting import until


def every_path(id: str) -> list[str]:
    return [
        *(f"/v1/users/{id}", f"/v1/products/{id}", f"/v1/orders/{id}", "/v1/users", "/v1/orders"),
        *("/v1/orders?status=placed", "/v1/products", "/v1/products?q=a", "/v1/products?q=a+b"),
        *("/v1/products?q=-", f"/v1/users/{id}/orders", f"/v1/users/{id}/history"),
        *(f"/v1/products/{id}/history", f"/v1/orders/{id}/history", "/v1/dashboard"),
    ]


async def is_unavailable(queries: httpx.AsyncClient, path: str) -> bool:
    response = await queries.get(path)
    if response.status_code != 503:
        return False
    assert response.json()["type"].endswith("/unavailable")
    return int(response.headers["retry-after"]) >= 1


async def test_an_empty_shop_is_available(shop: Shop, queries: httpx.AsyncClient) -> None:
    for path in ("/v1/users", "/v1/orders", "/v1/products"):
        assert (await queries.get(path)).json() == {"items": [], "next": None}
    assert (await queries.get("/v1/dashboard")).json() == {
        "orders": {"placed": 0, "shipped": 0, "delivered": 0, "cancelled": 0, "total": 0},
        "revenue": [],
        "by_day": [],
        "payments": {"due": 0, "paid": 0, "overdue": 0, "refund_due": 0, "refunded": 0},
        "users": 0,
        "products": 0,
        "sold_out": 0,
    }
    assert (await queries.get(f"/v1/users/{shop.new_id()}")).status_code == 404


async def test_after_a_loss_of_all_data_every_read_is_503(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200
    await shop.admin.flushall()
    for path in every_path(user):
        assert await is_unavailable(queries, path), path
    headers = {"Consistency-Token": f"{shard_of('users', user, 12)}:1"}
    assert (await queries.get(f"/v1/users/{user}", headers=headers)).status_code == 503


async def test_a_document_without_a_checkpoint_is_503(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    await shop.admin.delete(checkpoint_key(shard_of("users", user, 12)))
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/history", "/v1/users", "/v1/dashboard"):
        assert await is_unavailable(queries, path), path


async def test_a_missing_shard_does_not_affect_the_others(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    lost, kept = await shop.user(), await shop.user()
    assert shard_of("users", lost, 12) != shard_of("users", kept, 12)
    await shop.admin.delete(checkpoint_key(shard_of("users", lost, 12)))
    assert await is_unavailable(queries, f"/v1/users/{lost}")
    assert (await queries.get(f"/v1/users/{kept}")).status_code == 200


@pytest.mark.parametrize("broken", [b"", b"1 2", b"x y z 0", b"\xff"])
async def test_an_unreadable_checkpoint_counts_as_missing(
    shop: Shop, queries: httpx.AsyncClient, broken: bytes
) -> None:
    user = await shop.user()
    await shop.admin.set(checkpoint_key(shard_of("users", user, 12)), broken)
    assert await is_unavailable(queries, f"/v1/users/{user}")


async def test_views_below_their_target_are_503(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_checkpoint(shard, 1, target=5)
    for path in (f"/v1/users/{user}", "/v1/users", "/v1/dashboard"):
        assert await is_unavailable(queries, path), path
    await shop.set_checkpoint(shard, 5, target=5)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200


async def test_views_that_were_set_back_are_503_until_they_have_caught_up(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_checkpoint(shard, 10)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200
    await shop.set_checkpoint(shard, 9)
    for path in (f"/v1/users/{user}", "/v1/users", "/v1/dashboard"):
        assert await is_unavailable(queries, path), path
    await shop.set_checkpoint(shard, 10)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200


async def test_views_that_were_set_back_are_503_even_if_no_request_had_read_them(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    """The watcher has polled them, which the metrics show."""
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_head(shard, Head(10, int(time.time() * 1000), 0))
    await shop.set_checkpoint(shard, 10)

    async def polled() -> bool:
        text = (await queries.get("/metrics")).text
        return 'tandem_projection_lag_events{topic="users"} 0.0' in text

    await until(polled, "the watcher has polled the shard")
    await shop.set_checkpoint(shard, 9)
    assert await is_unavailable(queries, f"/v1/users/{user}")


async def test_a_read_that_waits_for_a_shard_is_503_when_the_shard_is_lost(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    headers = {"Consistency-Token": token(record), "Prefer": "wait=30"}
    reading = asyncio.create_task(queries.get(f"/v1/users/{user}", headers=headers))

    async def waits() -> bool:
        return "tandem_waiting_reads 1.0" in (await queries.get("/metrics")).text

    await until(waits, "the read waits")
    await shop.admin.delete(checkpoint_key(record.shard))
    async with asyncio.timeout(5):
        assert (await reading).status_code == 503


async def test_a_document_that_was_lost_with_its_checkpoint_is_503(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.admin.delete(checkpoint_key(shard), document_key(shard, user))
    assert await is_unavailable(queries, f"/v1/users/{user}")


@pytest.fixture
def own_valkey(tmp_path: Path, passwords: dict[str, str]) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", free_ports(1)[0], passwords)
    yield server
    server.stop()


async def test_it_starts_without_redis_and_serves_whenever_redis_is_available(
    own_valkey: Valkey, settings: Settings, identity: Identity
) -> None:
    url = own_valkey.url("tandem_query_service")
    async with serving(settings(redis_url=url), identity, ready=503) as queries:
        assert (await queries.get("/livez")).status_code == 200
        assert "redis" in (await queries.get("/readyz")).json()["detail"]
        id = "0199a000-0000-7000-8000-000000000001"
        for path in every_path(id):
            assert await is_unavailable(queries, path), path
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: _is_ready(queries), "ready")
        assert await is_unavailable(queries, "/v1/projections") is False
        assert await is_unavailable(queries, f"/v1/users/{id}")
        own_valkey.stop()
        async with asyncio.timeout(9):
            assert await is_unavailable(queries, f"/v1/users/{id}")
            assert await is_unavailable(queries, "/v1/products")
        await until(lambda: _is_not_ready(queries), "not ready")
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: _is_ready(queries), "ready again")


async def _is_ready(queries: httpx.AsyncClient) -> bool:
    return (await queries.get("/readyz")).status_code == 200


async def _is_not_ready(queries: httpx.AsyncClient) -> bool:
    return not await _is_ready(queries)
