"""Reads follow a cutover: documents, lists, histories, the dashboard, tokens and cursors."""

from dataclasses import replace

import httpx

from shared.contracts.shards import all_shards, shard_of
from shared.contracts.tokens import format_token
from shared.contracts.views import Checkpoint, checkpoint_key, generation_key
from tests.query_service.shop import Shop

GENERATION = "gtp7wfc"


async def cut_over(shop: Shop, *shards: str, shape: int = 1) -> None:
    """Moves the views of these shards to another generation; nothing is left of the former one."""
    for shard in shards:
        stored: bytes | None = await shop.admin.get(checkpoint_key(shard))  # type: ignore[assignment]
        assert stored is not None
        checkpoint = Checkpoint.decode(stored)
        new = replace(checkpoint, generation=GENERATION, shape=shape, mark="aaaaaaaa")
        async with shop.admin.pipeline(transaction=True) as pipeline:
            async for raw in shop.admin.scan_iter(match=f"{{{shard}}}:*", count=1000):
                key = raw.decode()
                if key not in (checkpoint_key(shard), f"{{{shard}}}:head"):
                    pipeline.rename(key, generation_key(GENERATION, key))
            pipeline.set(checkpoint_key(shard), new.encode())
            await pipeline.execute()


async def test_every_kind_of_read_follows_a_cutover(shop: Shop, queries: httpx.AsyncClient) -> None:
    user = await shop.user()
    order, product = await shop.order(user), await shop.product("Chair")
    paths = [
        *(f"/v1/users/{user}", f"/v1/orders/{order}", f"/v1/products/{product}", "/v1/users"),
        *(f"/v1/users/{user}/history", f"/v1/orders/{order}/history", "/v1/orders?status=placed"),
        *(f"/v1/users/{user}/orders", "/v1/products?q=cha", "/v1/dashboard", "/v1/parked"),
    ]
    before = {path: await queries.get(path) for path in paths}
    assert {response.status_code for response in before.values()} == {200}
    for path in paths:  # each is the first read after a cutover
        shards = all_shards(12)
        await cut_over(shop, *shards)
        found = await queries.get(path)
        assert (found.status_code, found.content) == (200, before[path].content), path
        await _roll_back(shop, *shards)
        found = await queries.get(path)
        assert (found.status_code, found.content) == (200, before[path].content), path


async def _roll_back(shop: Shop, *shards: str) -> None:
    for shard in shards:
        stored: bytes | None = await shop.admin.get(checkpoint_key(shard))  # type: ignore[assignment]
        assert stored is not None
        old = replace(Checkpoint.decode(stored), generation="-", mark="")
        async with shop.admin.pipeline(transaction=True) as pipeline:
            async for raw in shop.admin.scan_iter(match=f"{{{shard}}}:{GENERATION}:*", count=1000):
                key = raw.decode()
                pipeline.rename(key, key.replace(f":{GENERATION}:", ":", 1))
            pipeline.set(checkpoint_key(shard), old.encode())
            await pipeline.execute()


async def test_tokens_and_cursors_outlive_a_cutover(shop: Shop, queries: httpx.AsyncClient) -> None:
    users = [await shop.user() for _ in range(6)]
    first = (await queries.get("/v1/users?limit=3")).json()
    token = format_token({shard_of("users", users[0], 12): 1})
    await cut_over(shop, *all_shards(12))
    headers = {"Consistency-Token": token, "Prefer": "wait=0"}
    second = await queries.get(f"/v1/users?limit=3&cursor={first['next']}", headers=headers)
    assert second.status_code == 200
    ids = [user["id"] for user in [*first["items"], *second.json()["items"]]]
    assert ids == sorted(users, reverse=True)


async def test_from_shape_2_on_the_etag_contains_the_shape(
    shop: Shop, queries: httpx.AsyncClient
) -> None:
    user = await shop.user()
    path = f"/v1/users/{user}"
    first = await queries.get(path)
    assert first.headers["etag"] == '"1"'
    await cut_over(shop, shard_of("users", user, 12), shape=2)
    headers = {"If-None-Match": first.headers["etag"]}
    found = await queries.get(path, headers=headers)
    assert (found.status_code, found.headers["etag"]) == (200, '"1-2"')
    headers = {"If-None-Match": '"1-2"'}
    assert (await queries.get(path, headers=headers)).status_code == 304
