"""The events on the topics: every type's fields, headers, key, partition and order."""

from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import new_email, order_body
from tests.contract.test_field_bounds import RFC3339
from tests.contract.topics import TOPICS, Topics
from tests.support.stack import Stack
from tests.support.waiting import until

EUR = {"amount": 250, "currency": "EUR"}
TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
HEADERS = {
    "ce_specversion",
    "ce_id",
    "ce_type",
    "ce_source",
    "ce_subject",
    "ce_time",
    "ce_dataschema",
    "ce_position",
    "content-type",
}


@pytest.fixture
async def topics(stack: Stack) -> AsyncIterator[Topics]:
    topics = await Topics.open(stack.kafka.bootstrap_servers)
    yield topics
    await topics.close()


async def _events(topics: Topics, id: str, count: int) -> list[tuple[str, Any]]:
    """Types and values, without id and version, of an aggregate's events."""

    async def published() -> bool:
        await topics.poll()
        return len(topics.of(id)) >= count

    await until(published, f"{count} events of the aggregate are published")
    records = topics.of(id)
    assert [r.value["version"] for r in records] == list(range(1, count + 1))
    assert {r.value["id"] for r in records} == {id}
    return [
        (r.type, {name: r.value[name] for name in r.value if name not in ("id", "version")})
        for r in records
    ]


async def test_events_of_a_user(shop: AllTokens, topics: Topics) -> None:
    emails = [new_email(), new_email()]
    user = await shop.user("Ada", emails[0])
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Grace"})
    await shop.send("PUT", f"/v1/users/{user}/email", {"email": emails[1]})
    await shop.send("DELETE", f"/v1/users/{user}")
    found = await _events(topics, user, 4)
    assert [type for type, _ in found] == [
        "user.created",
        "user.renamed",
        "user.email_changed",
        "user.erased",
    ]
    # Published before or after the erasure: with the values or with nulls.
    values = [{"name": "Ada", "email": emails[0]}, {"name": "Grace"}, {"email": emails[1]}, {}]
    for (_, value), expected in zip(found, values, strict=True):
        assert value in (expected, dict.fromkeys(expected))


async def test_events_of_a_product(shop: AllTokens, topics: Topics) -> None:
    user, product = await shop.user(), await shop.product(stock=5)
    path, price = f"/v1/products/{product}", {"amount": 7, "currency": "CHF"}
    order = (await shop.order(user, (product, 2))).json()["id"]
    await shop.send("PUT", f"{path}/price", {"price": price})
    await shop.send("POST", f"{path}/restock", {"quantity": 4})
    await shop.send("POST", f"/v1/orders/{order}/cancel", {"reason": "late"})
    await shop.send("DELETE", path)
    moved = {"order_id": order, "quantity": 2}
    assert await _events(topics, product, 6) == [
        (
            "product.added",
            {"name": "Tea", "description": "loose", "price": EUR, "stock": 5},
        ),
        ("product.reserved", {**moved, "stock": 3}),
        ("product.price_changed", {"price": price}),
        ("product.restocked", {"quantity": 4, "stock": 7}),
        ("product.released", {**moved, "stock": 9}),
        ("product.retired", {}),
    ]


async def test_events_of_an_order(shop: AllTokens, topics: Topics) -> None:
    user, product = await shop.user("Ada"), await shop.product()
    body = order_body(user, (product, 2))
    orders = [(await shop.send("POST", "/v1/orders", body)).json()["id"] for _ in range(2)]
    label = {"carrier": "Post", "tracking_number": "X-1"}
    await shop.send("POST", f"/v1/orders/{orders[0]}/ship", label)
    await shop.send("POST", f"/v1/orders/{orders[0]}/deliver")
    await shop.send("POST", f"/v1/orders/{orders[1]}/cancel", {"reason": "late"})
    placed = {
        "customer_id": user,
        "customer_name": "Ada",
        "items": [{"product_id": product, "name": "Tea", "quantity": 2, "unit_price": EUR}],
        "total": {"amount": 500, "currency": "EUR"},
        "shipping_address": "1 Main Street",
        "payment_due_at": None,
    }
    assert await _events(topics, orders[0], 3) == [
        ("order.placed", placed),
        ("order.shipped", label),
        ("order.delivered", {}),
    ]
    assert await _events(topics, orders[1], 2) == [
        ("order.placed", placed),
        ("order.cancelled", {"reason": "late"}),
    ]
    await shop.send("DELETE", f"/v1/users/{user}")
    assert (await _events(topics, orders[0], 4))[-1] == ("order.anonymized", {})
    assert (await _events(topics, orders[1], 3))[-1] == ("order.anonymized", {})


async def test_every_record_is_a_cloudevent_with_the_next_position_of_its_shard(
    shop: AllTokens, topics: Topics
) -> None:
    user, product = await shop.user(), await shop.product()
    body = order_body(user, (product, 1))
    order = (await shop.send("POST", "/v1/orders", body, traceparent=TRACE)).json()["id"]
    await _events(topics, order, 1)
    await _events(topics, product, 2)
    sources, ids, last = set(), Counter[str](), dict[tuple[str, int], int]()
    for record in topics.records:
        assert len(record.headers) == len(dict(record.headers))
        names = {name for name, _ in record.headers}
        assert names - {"ce_actor", "traceparent"} == HEADERS
        moved = record.type in ("product.reserved", "product.released")
        assert ("ce_actor" in names) != moved, record
        assert record.header("ce_specversion") == "1.0"
        assert record.header("content-type") == "application/json"
        assert record.header("ce_subject") == record.key == record.value["id"]
        assert RFC3339.fullmatch(record.header("ce_time") or "")
        assert record.type in (record.header("ce_dataschema") or "")
        assert record.topic == record.type.split(".")[0] + "s"
        assert record.partition == int(record.key[-3:], 16) % 12
        assert record.header("ce_position") == str(record.position)
        sources.add(record.header("ce_source"))
        ids[record.header("ce_id") or ""] += 1
        # On an undisturbed topic, positions have neither gaps nor duplicates.
        shard = (record.topic, record.partition)
        assert record.position == last.get(shard, 0) + 1
        last[shard] = record.position
    assert len(sources) == 1
    assert set(ids.values()) == {1}
    assert {record.topic for record in topics.records} == set(TOPICS)
    (placed,) = topics.of(order)
    assert placed.header("ce_actor") == "tester"
    assert placed.header("traceparent") == TRACE


async def test_events_are_in_commit_order_and_their_times_never_decrease(
    shop: AllTokens, topics: Topics
) -> None:
    user = await shop.user()
    for n in range(10):
        await shop.send("PUT", f"/v1/users/{user}/name", {"name": f"n{n}"})
    await _events(topics, user, 11)
    times = [record.header("ce_time") or "" for record in topics.of(user)]
    assert times == sorted(times)


async def test_rejected_commands_and_those_that_change_nothing_emit_no_event(
    shop: AllTokens, topics: Topics
) -> None:
    user, product = await shop.user("Ada"), await shop.product(stock=1)
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": " Ada "})
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "B"}, If_Match='"9"')
    await shop.send("PUT", f"/v1/products/{product}/price", {"price": EUR})
    await shop.order(user, (product, 2))
    last = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "C"})
    assert last.json()["version"] == 2
    await shop.send("POST", f"/v1/products/{product}/restock", {"quantity": 1})
    assert [type for type, _ in await _events(topics, user, 2)] == ["user.created", "user.renamed"]
    assert len(await _events(topics, product, 2)) == 2
