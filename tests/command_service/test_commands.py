"""Commands over HTTP, on a real PostgreSQL."""

import asyncio
from uuid import uuid4

import httpx

from tests.command_service.shop import add_product, create_user, fetch, log_types, order
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.waiting import until


async def test_an_order_is_accepted_with_its_id_version_token_and_location(
    commands: httpx.AsyncClient,
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    response = await commands.post("/v1/orders", json=order(customer, (product, 2)))
    assert response.status_code == 201
    id = response.json()["id"]
    assert response.json() == {"id": id, "version": 1}
    assert response.headers["etag"] == '"1"'
    assert response.headers["location"] == f"/v1/orders/{id}"
    assert id[-3:] == customer[-3:]
    assert len(response.headers["consistency-token"].split(";")) == 2


async def test_20_concurrent_requests_with_one_key_create_one_order(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    body, headers = order(customer, (product, 1)), {"Idempotency-Key": "k-1"}
    responses = await asyncio.gather(
        *(commands.post("/v1/orders", json=body, headers=headers) for _ in range(20))
    )
    again = await commands.post("/v1/orders", json=body, headers=headers)
    assert again.status_code == 201
    assert again.headers["idempotent-replayed"] == "true"
    for response in responses:
        if response.status_code == 409:
            assert response.json()["type"].endswith("/idempotency-key-in-use")
            assert response.headers["retry-after"]
        else:
            assert response.json() == again.json()
            assert response.headers["consistency-token"] == again.headers["consistency-token"]
    assert await log_types(migrated_database) == {
        "user.created": 1,
        "product.added": 1,
        "order.placed": 1,
        "product.reserved": 1,
    }


async def test_a_key_with_another_request_is_rejected(commands: httpx.AsyncClient) -> None:
    headers = {"Idempotency-Key": "k"}
    user = {"name": "Ada", "email": "a@b"}
    assert (await commands.post("/v1/users", json=user, headers=headers)).status_code == 201
    other = await commands.post("/v1/users", json={**user, "name": "Eve"}, headers=headers)
    assert other.status_code == 422
    assert other.json()["type"].endswith("/idempotency-key-reused")


async def test_a_rejection_is_replayed_after_the_state_has_changed(
    commands: httpx.AsyncClient,
) -> None:
    customer, product = await create_user(commands), await add_product(commands, stock=1)
    body, headers = order(customer, (product, 2)), {"Idempotency-Key": "k"}
    first = await commands.post("/v1/orders", json=body, headers=headers)
    assert first.json()["type"].endswith("/insufficient-stock")
    await commands.post(f"/v1/products/{product}/restock", json={"quantity": 5})
    second = await commands.post("/v1/orders", json=body, headers=headers)
    assert (second.status_code, second.json()) == (409, first.json())
    assert second.headers["idempotent-replayed"] == "true"


async def test_50_concurrent_orders_never_oversell(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, stock=20)
    responses = await asyncio.gather(
        *(commands.post("/v1/orders", json=order(customer, (product, 1))) for _ in range(50))
    )
    assert sorted(a.status_code for a in responses) == [201] * 20 + [409] * 30
    rows = await fetch(migrated_database, "SELECT stock FROM products")
    assert rows[0]["stock"] == 0


async def test_positions_are_dense_with_20_writers_and_rejections(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, stock=60)

    async def writer(number: int) -> None:
        for step in range(10):
            if step % 3 == 0:
                await create_user(commands, f"{number}-{step}@example.com")
            await commands.post("/v1/orders", json=order(customer, (product, 1)))

    await asyncio.gather(*(writer(number) for number in range(20)))
    rows = await fetch(
        migrated_database,
        "SELECT shard, count(*) AS n, min(position) AS first, max(position) AS last, "
        "count(DISTINCT event_id) AS ids FROM log GROUP BY shard",
    )
    assert rows
    assert sum(row["n"] for row in rows) == 2 + 80 + 2 * 60
    for row in rows:
        assert (row["first"], row["last"], row["ids"]) == (1, row["n"], row["n"])


async def test_an_email_belongs_to_one_user_ignoring_case(
    commands: httpx.AsyncClient,
) -> None:
    responses = await asyncio.gather(
        *(
            commands.post("/v1/users", json={"name": "A", "email": email})
            for email in ["Straße@x.de", "STRASSE@x.de", "strasse@X.de"] * 5
        )
    )
    assert sorted(a.status_code for a in responses) == [201] + [409] * 14


async def test_a_command_that_changes_nothing_emits_no_event_and_returns_a_token(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    user = await create_user(commands)
    response = await commands.put(f"/v1/users/{user}/name", json={"name": " Ada "})
    assert response.json() == {"id": user, "version": 1}
    assert response.headers["consistency-token"].endswith(":1")
    assert "etag" not in response.headers
    assert await log_types(migrated_database) == {"user.created": 1}


async def test_an_order_is_shipped_and_then_delivered_in_no_other_order(
    commands: httpx.AsyncClient,
) -> None:
    customer, product = await create_user(commands), await add_product(commands)
    id = (await commands.post("/v1/orders", json=order(customer, (product, 1)))).json()["id"]
    label = {"carrier": "Post", "tracking_number": "1"}
    assert (await commands.post(f"/v1/orders/{id}/deliver")).status_code == 409
    assert (await commands.post(f"/v1/orders/{id}/ship", json=label)).json()["version"] == 2
    assert (await commands.post(f"/v1/orders/{id}/ship", json=label)).status_code == 409
    assert (await commands.post(f"/v1/orders/{id}/cancel", json={"reason": "x"})).status_code == 409
    assert (await commands.post(f"/v1/orders/{id}/deliver")).json()["version"] == 3


async def test_cancelling_returns_the_stock_also_to_a_retired_product(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    customer, product = await create_user(commands), await add_product(commands, stock=5)
    id = (await commands.post("/v1/orders", json=order(customer, (product, 4)))).json()["id"]
    assert (await commands.delete(f"/v1/products/{product}")).status_code == 200
    assert (await commands.delete(f"/v1/products/{product}")).status_code == 409
    cancelled = await commands.post(f"/v1/orders/{id}/cancel", json={"reason": "late"})
    assert cancelled.status_code == 200
    rows = await fetch(migrated_database, "SELECT stock, version FROM products")
    assert (rows[0]["stock"], rows[0]["version"]) == (5, 4)


async def test_if_match_rejects_another_version(commands: httpx.AsyncClient) -> None:
    user = await create_user(commands)
    path, body = f"/v1/users/{user}/name", {"name": "Grace"}
    stale = await commands.put(path, json=body, headers={"If-Match": '"7"'})
    assert (stale.status_code, stale.json()["type"].rsplit("/")[-1]) == (412, "version-conflict")
    assert (await commands.put(path, json=body, headers={"If-Match": '"1"'})).status_code == 200
    assert (await commands.put(path, json=body, headers={"If-Match": "1"})).status_code == 400


async def test_no_personal_value_of_an_erased_user_remains_in_the_database(
    commands: httpx.AsyncClient, migrated_database: Database
) -> None:
    canary = f"canary{uuid4().hex}"
    response = await commands.post(
        "/v1/users", json={"name": canary, "email": f"{canary}@example.com"}
    )
    customer, product = response.json()["id"], await add_product(commands)
    body = {**order(customer, (product, 1)), "shipping_address": f"{canary} street"}
    assert (await commands.post("/v1/orders", json=body)).status_code == 201
    assert (await commands.delete(f"/v1/users/{customer}")).status_code == 200
    assert (await commands.delete(f"/v1/users/{customer}")).status_code == 404
    rejected = await commands.post("/v1/orders", json=body)
    assert rejected.json()["type"].endswith("/unknown-reference")

    async def anonymized() -> bool:
        return "order.anonymized" in await log_types(migrated_database)

    await until(anonymized, "the order is anonymized")
    for table in ("users", "orders", "order_lines", "log", "answers", "erasures", "batches"):
        rows = await fetch(migrated_database, f"SELECT t::text AS row FROM {table} AS t")
        assert not [row for row in rows if canary in row["row"]]
    assert (
        await commands.post("/v1/users", json={"name": "B", "email": f"{canary}@example.com"})
    ).status_code == 201


async def test_resources_of_others_are_not_found_and_ordering_for_them_is_forbidden(
    commands: httpx.AsyncClient, identity: Identity
) -> None:
    ada, eve = await create_user(commands), await create_user(commands, "eve@example.com")
    product = await add_product(commands)
    own = identity.headers(eve, "users:write orders:write")
    placed = await commands.post("/v1/orders", json=order(ada, (product, 1)))
    id = placed.json()["id"]
    put = await commands.put(f"/v1/users/{ada}/name", json={"name": "X"}, headers=own)
    assert put.status_code == 404
    cancel = await commands.post(f"/v1/orders/{id}/cancel", json={"reason": "x"}, headers=own)
    assert cancel.status_code == 404
    foreign = await commands.post("/v1/orders", json=order(ada, (product, 1)), headers=own)
    assert foreign.status_code == 403
    mine = await commands.post("/v1/orders", json=order(eve, (product, 1)), headers=own)
    assert mine.status_code == 201
