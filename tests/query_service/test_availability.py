"""When views cannot be read, reads say so: 503, never an empty 200 and never a 404."""

import asyncio
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


async def refused(queries: httpx.AsyncClient, path: str) -> bool:
    answer = await queries.get(path)
    if answer.status_code != 503:
        return False
    assert answer.json()["type"].endswith("/unavailable")
    return int(answer.headers["retry-after"]) >= 1


async def test_an_empty_shop_is_not_missing(shop: Shop, queries: httpx.AsyncClient) -> None:
    for path in ("/v1/users", "/v1/orders", "/v1/products"):
        assert (await queries.get(path)).json() == {"items": [], "next": None}
    assert (await queries.get("/v1/dashboard")).json() == {
        "orders": {"placed": 0, "shipped": 0, "delivered": 0, "cancelled": 0, "total": 0},
        "revenue": [],
        "by_day": [],
        "users": 0,
        "products": 0,
        "sold_out": 0,
    }
    assert (await queries.get(f"/v1/users/{shop.new_id()}")).status_code == 404


async def test_a_redis_that_lost_everything_answers_no_read(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200
    await shop.admin.flushall()
    for path in every_path(user):
        assert await refused(queries, path), path
    headers = {"Consistency-Token": f"{shard_of('users', user, 12)}:1"}
    assert (await queries.get(f"/v1/users/{user}", headers=headers)).status_code == 503


async def test_a_document_without_a_checkpoint_is_not_shown(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    await shop.admin.delete(checkpoint_key(shard_of("users", user, 12)))
    for path in (f"/v1/users/{user}", f"/v1/users/{user}/history", "/v1/users", "/v1/dashboard"):
        assert await refused(queries, path), path


async def test_one_missing_shard_leaves_the_others_be(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    lost, kept = await shop.user(), await shop.user()
    assert shard_of("users", lost, 12) != shard_of("users", kept, 12)
    await shop.admin.delete(checkpoint_key(shard_of("users", lost, 12)))
    assert await refused(queries, f"/v1/users/{lost}")
    assert (await queries.get(f"/v1/users/{kept}")).status_code == 200


@pytest.mark.parametrize("broken", [b"", b"1 2", b"x y z 0", b"\xff"])
async def test_a_checkpoint_that_cannot_be_read_counts_as_missing(
    shop: Shop, queries: httpx.AsyncClient, broken: bytes
) -> None:
    user = await shop.user()
    await shop.admin.set(checkpoint_key(shard_of("users", user, 12)), broken)
    assert await refused(queries, f"/v1/users/{user}")


async def test_views_short_of_their_target_are_not_read(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_checkpoint(shard, 1, target=5)
    for path in (f"/v1/users/{user}", "/v1/users", "/v1/dashboard"):
        assert await refused(queries, path), path
    await shop.set_checkpoint(shard, 5, target=5)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200


async def test_views_that_moved_back_are_not_read_until_they_are_back(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_checkpoint(shard, 10)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200
    await shop.set_checkpoint(shard, 9)
    for path in (f"/v1/users/{user}", "/v1/users", "/v1/dashboard"):
        assert await refused(queries, path), path
    await shop.set_checkpoint(shard, 10)
    assert (await queries.get(f"/v1/users/{user}")).status_code == 200


async def test_views_that_moved_back_are_known_though_nobody_had_read_them(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    """The poller saw them. What it saw shows in the metrics."""
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.set_head(shard, Head(10, 0, 0))
    await shop.set_checkpoint(shard, 10)

    async def seen() -> bool:
        text = (await queries.get("/metrics")).text
        return 'tandem_projection_lag_events{topic="users"} 0.0' in text

    await until(seen, "the poller saw the shard")
    await shop.set_checkpoint(shard, 9)
    assert await refused(queries, f"/v1/users/{user}")


async def test_a_read_that_waits_for_a_shard_that_vanishes_is_told(
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


async def test_a_document_that_vanished_with_its_shard_is_never_404(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    await shop.admin.delete(checkpoint_key(shard), document_key(shard, user))
    assert await refused(queries, f"/v1/users/{user}")


@pytest.fixture
def own_valkey(tmp_path: Path, passwords: dict[str, str]) -> Iterator[Valkey]:
    server = Valkey(tmp_path / "valkey", free_ports(1)[0], passwords)
    yield server
    server.stop()


async def test_it_starts_without_redis_and_serves_when_redis_comes_goes_and_comes(
    own_valkey: Valkey, settings: Settings, identity: Identity
) -> None:
    url = own_valkey.url("tandem_query_service")
    async with serving(settings(redis_url=url), identity, ready=503) as queries:
        assert (await queries.get("/livez")).status_code == 200
        assert "redis" in (await queries.get("/readyz")).json()["detail"]
        id = "0199a000-0000-7000-8000-000000000001"
        for path in every_path(id):
            assert await refused(queries, path), path
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: _is_ready(queries), "ready")
        assert await refused(queries, "/v1/projections") is False
        assert await refused(queries, f"/v1/users/{id}")
        own_valkey.stop()
        async with asyncio.timeout(9):
            assert await refused(queries, f"/v1/users/{id}")
            assert await refused(queries, "/v1/products")
        await until(lambda: _is_not_ready(queries), "not ready")
        await asyncio.to_thread(own_valkey.start)
        await until(lambda: _is_ready(queries), "ready again")


async def _is_ready(queries: httpx.AsyncClient) -> bool:
    return (await queries.get("/readyz")).status_code == 200


async def _is_not_ready(queries: httpx.AsyncClient) -> bool:
    return not await _is_ready(queries)
