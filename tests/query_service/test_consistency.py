"""Read-your-writes: consistency tokens, waiting, and what a response's token covers."""

import asyncio
import random
import time
from typing import cast

import httpx
import pytest

from shared.contracts.events import ProductPriceChanged, ProductRestocked, UserRenamed
from shared.contracts.money import Money
from shared.contracts.shards import shard_of
from shared.contracts.tokens import parse_token
from shared.contracts.views import checkpoint_key
from tests.query_service.conftest import Settings, serving
from tests.query_service.shop import Shop, token
from tests.support.identity import Identity
from tests.support.waiting import until


def token_headers(token: str, wait: int | None = None) -> dict[str, str]:
    prefer = {} if wait is None else {"Prefer": f"wait={wait}"}
    return {"Consistency-Token": token, **prefer}


async def stored(shop: Shop, keys: list[str]) -> dict[str, bytes]:
    values = cast("list[bytes]", await shop.admin.mget(keys))
    return dict(zip(keys, values, strict=True))


async def until_reads_wait(queries: httpx.AsyncClient, readers: int = 1) -> None:
    async def waits() -> bool:
        return f"tandem_waiting_reads {readers}.0" in (await queries.get("/metrics")).text

    await until(waits, f"{readers} reads wait")


async def test_a_read_with_a_token_waits_only_until_the_event_is_in_the_view(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    reading = asyncio.create_task(
        queries.get(f"/v1/users/{user}", headers=token_headers(token(record), 20))
    )
    await until_reads_wait(queries)
    assert not reading.done()
    folded = await shop.fold(record)
    started = time.monotonic()
    response = await reading
    assert time.monotonic() - started < 0.5
    assert (response.status_code, response.json()["name"]) == (200, "Grace")
    assert response.headers["consistency-token"] == folded


@pytest.mark.parametrize("prefer", ["wait=0", "respond-async, WAIT = 0; x=y", 'wait="0"'])
async def test_a_read_whose_view_stays_behind_the_token_is_412(
    shop: Shop, queries: httpx.AsyncClient, prefer: str
) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    headers = {"Consistency-Token": token(record), "Prefer": prefer}
    started = time.monotonic()
    response = await queries.get(f"/v1/users/{user}", headers=headers)
    assert time.monotonic() - started < 0.5
    assert response.status_code == 412
    assert response.json()["type"].endswith("/projection-behind")
    assert int(response.headers["retry-after"]) >= 1


async def test_the_default_wait_is_two_seconds(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    for headers in (
        token_headers(token(record)),
        {**token_headers(token(record)), "Prefer": "wait=-1"},
    ):
        started = time.monotonic()
        assert (await queries.get(f"/v1/users/{user}", headers=headers)).status_code == 412
        assert 1.9 < time.monotonic() - started < 3


@pytest.mark.parametrize(
    "path",
    [
        *("/v1/users", "/v1/users/{user}/orders", "/v1/users/{user}/history", "/v1/dashboard"),
        *("/v1/projections", "/v1/parked"),
    ],
)
async def test_every_kind_of_read_waits_for_its_token(
    shop: Shop, queries: httpx.AsyncClient, path: str
) -> None:
    user = await shop.user()
    path = path.format(user=user)
    record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
    assert (await queries.get(path, headers=token_headers(token(record), 0))).status_code == 412
    reading = asyncio.create_task(queries.get(path, headers=token_headers(token(record), 20)))
    await until_reads_wait(queries)
    await shop.fold(record)
    response = await reading
    assert response.status_code == 200
    assert parse_token(response.headers["consistency-token"], 12)[record.shard] >= record.position


@pytest.mark.parametrize("path", ["/v1/products", "/v1/products?q=ch", "/v1/products?q=ch+re"])
async def test_lists_of_products_wait_for_their_token(
    shop: Shop, queries: httpx.AsyncClient, path: str
) -> None:
    product = await shop.product("Chair", "red")
    record = shop.record(ProductRestocked(id=product, version=2, quantity=1, stock=6))
    assert (await queries.get(path, headers=token_headers(token(record), 0))).status_code == 412
    reading = asyncio.create_task(queries.get(path, headers=token_headers(token(record), 20)))
    await until_reads_wait(queries)
    await shop.fold(record)
    [item] = (await reading).json()["items"]
    assert item["stock"] == 6


async def test_parts_of_a_token_for_other_shards_are_ignored_and_returned(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    other = "users.0" if shard != "users.0" else "users.1"
    sent = f"orders.3:900;{other}:77,orders.3:12"
    response = await queries.get(f"/v1/users/{user}", headers=token_headers(sent, 0))
    assert response.status_code == 200
    covered = parse_token(response.headers["consistency-token"], 12)
    assert covered == {"orders.3": 900, other: 77, shard: 1}
    response = await queries.get(
        f"/v1/users/{shop.new_id()}", headers=token_headers("orders.3:900", 0)
    )
    assert parse_token(response.headers["consistency-token"], 12)["orders.3"] == 900


async def test_a_token_in_several_header_lines_is_joined(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    shard = shard_of("users", user, 12)
    lines = [("Consistency-Token", f"{shard}:9"), ("Consistency-Token", "orders.1:1")]
    lines += [("Prefer", "wait=0")]
    assert (await queries.get(f"/v1/users/{user}", headers=lines)).status_code == 412


@pytest.mark.parametrize("bad", ["x", "orders.12:1", "orders.1", "orders.1:1;", "", "users.1:-1"])
async def test_a_malformed_token_is_400_before_404(
    shop: Shop, queries: httpx.AsyncClient, bad: str
) -> None:
    paths = ("/v1/users/1", "/v1/users?limit=0", "/v1/dashboard", "/v1/projections")
    for path in (*paths, f"/v1/products/{shop.new_id()}", f"/v1/orders/{shop.new_id()}/history"):
        response = await queries.get(path, headers=token_headers(bad))
        assert response.status_code == 400
        assert response.json()["type"].endswith("/malformed-request")


async def test_too_many_waiting_reads_are_503(
    shop: Shop, settings: Settings, identity: Identity
) -> None:
    async with serving(settings(max_waiting_reads=2), identity) as queries:
        user = await shop.user()
        record = shop.record(UserRenamed(id=user, version=2, name="Grace"))
        headers = token_headers(token(record), 20)
        waiting = [
            asyncio.create_task(queries.get(f"/v1/users/{user}", headers=headers)) for _ in range(2)
        ]
        await until_reads_wait(queries, 2)
        rejected = await queries.get(f"/v1/users/{user}", headers=headers)
        assert (rejected.status_code, "retry-after" in rejected.headers) == (503, True)
        assert (await queries.get(f"/v1/users/{user}")).status_code == 200
        await shop.fold(record)
        assert [response.status_code for response in await asyncio.gather(*waiting)] == [200, 200]


async def test_a_waiting_read_ends_with_its_client(
    shop: Shop, settings: Settings, identity: Identity
) -> None:
    async with serving(settings(max_waiting_reads=3), identity) as queries:
        product = await shop.product()
        shard = shard_of("products", product, 12)
        head = (
            f"GET /v1/products/{product} HTTP/1.1\r\nHost: x\r\n"
            f"Consistency-Token: {shard}:999\r\nPrefer: wait=30\r\n\r\n"
        )
        for leaves in ("close", "abort"):
            writers = []
            for _ in range(3):
                _, writer = await asyncio.open_connection("127.0.0.1", queries.base_url.port)
                writer.write(head.encode())
                writers.append(writer)
            await until_reads_wait(queries, 3)
            for writer in writers:
                writer.close() if leaves == "close" else writer.transport.abort()
            await until_reads_wait(queries, 0)


async def test_no_read_is_stale_while_the_views_change_between_two_states(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    """As after failovers: documents and checkpoint are set back together, and restored."""
    product = await shop.product()
    record = shop.record(ProductRestocked(id=product, version=2, quantity=1, stock=6))
    keys = [checkpoint_key(record.shard), f"{{{record.shard}}}:document:{product}"]
    before = await stored(shop, keys)
    await shop.fold(record)
    after = await stored(shop, keys)
    rng, done = random.Random(1), asyncio.Event()

    async def alternate() -> None:
        while not done.is_set():
            await shop.admin.mset(rng.choice([before, after]))
            await asyncio.sleep(rng.random() * 0.004)

    async def read() -> httpx.Response:
        return await queries.get(f"/v1/products/{product}", headers=token_headers(token(record), 0))

    alternating = asyncio.create_task(alternate())
    responses = [a for _ in range(30) for a in await asyncio.gather(*(read() for _ in range(10)))]
    done.set()
    await alternating
    statuses = {response.status_code for response in responses}
    assert 200 in statuses
    assert statuses <= {200, 412, 503}
    assert {a.json()["stock"] for a in responses if a.status_code == 200} == {6}


async def test_successive_reads_never_go_back_while_views_advance(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    product = await shop.product(price=0)

    async def change() -> None:
        for price in range(1, 200):
            money = Money(amount=price, currency="EUR")
            await shop.apply(
                ProductPriceChanged(id=product, version=shop.next(product), price=money)
            )

    changing = asyncio.create_task(change())
    seen, last = [0], ""
    while not changing.done():
        path = random.choice([f"/v1/products/{product}", "/v1/products"])
        response = await queries.get(path, headers=token_headers(last) if last else {})
        last = response.headers["consistency-token"]
        document = response.json()
        seen.append(document.get("items", [document])[0]["price"]["amount"])
    await changing
    assert seen == sorted(seen)
    assert len(set(seen)) > 5
