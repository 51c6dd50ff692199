"""Each command: its response and headers, its rules, and its rejections."""

from urllib.parse import urljoin

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import NAMES, PRICE, Targets, calls, order_body
from tests.contract.response_checks import check_problem, document

UNKNOWN_ID = "01890000-0000-7000-8000-000000000000"


@pytest.mark.parametrize("name", NAMES)
async def test_an_accepted_command_returns_id_version_and_token(shop: AllTokens, name: str) -> None:
    call = calls(await Targets.create(shop))[name]
    response = await shop.send(call.method, call.path, call.body)
    created = call.version is None
    assert response.status_code == (201 if created else 200), response.text
    assert response.headers["content-type"] == "application/json"
    assert set(response.json()) == {"id", "version"}
    assert response.json()["version"] == (call.version or 0) + 1
    assert response.headers["consistency-token"]
    assert "idempotent-replayed" not in response.headers
    if call.method == "PUT":
        assert "etag" not in response.headers
    else:
        assert response.headers["etag"] == f'"{response.json()["version"]}"'
    assert ("location" in response.headers) == created
    if created:
        location = urljoin(shop.query_url, response.headers["location"])
        assert location.endswith(response.json()["id"])
        found = await document(shop, location.removeprefix(shop.query_url))
        assert found["id"] == response.json()["id"]
    else:
        assert response.json()["id"] in call.path


@pytest.mark.parametrize("name", ["UpdateUserName", "UpdateUserEmail", "UpdateProductPrice"])
async def test_a_command_that_changes_nothing_returns_the_current_version(
    shop: AllTokens, name: str
) -> None:
    call = calls(await Targets.create(shop))[name]
    first = await shop.send(call.method, call.path, call.body)
    again = await shop.send(call.method, call.path, call.body)
    assert (again.status_code, again.json()) == (200, first.json())
    history = await document(shop, call.path.rsplit("/", 1)[0] + "/history")
    assert [item["version"] for item in history["items"]][-1] == first.json()["version"]


@pytest.mark.parametrize("name", [n for n in NAMES if not n.startswith(("Create", "Add", "Place"))])
async def test_a_command_to_a_missing_aggregate_is_404(shop: AllTokens, name: str) -> None:
    call = calls(Targets(*[UNKNOWN_ID] * 5))[name]
    check_problem(await shop.send(call.method, call.path, call.body), 404, "not-found")
    path = call.path.replace(UNKNOWN_ID, "nonsense")
    check_problem(await shop.send(call.method, path, call.body), 404, "not-found")


@pytest.mark.parametrize("name", ["UpdateUserName", "UpdateUserEmail", "EraseUser"])
async def test_any_command_on_an_erased_user_is_404(shop: AllTokens, name: str) -> None:
    call = calls(targets := await Targets.create(shop))[name]
    assert (await shop.send("DELETE", f"/v1/users/{targets.user}")).status_code == 200
    check_problem(await shop.send(call.method, call.path, call.body), 404, "not-found")


@pytest.mark.parametrize("name", ["UpdateProductPrice", "RestockProduct", "RetireProduct"])
async def test_any_command_on_a_retired_product_is_409(shop: AllTokens, name: str) -> None:
    call = calls(targets := await Targets.create(shop))[name]
    assert (await shop.send("DELETE", f"/v1/products/{targets.product}")).status_code == 200
    check_problem(await shop.send(call.method, call.path, call.body), 409, "product-retired")
    same_price = await shop.send("PUT", f"/v1/products/{targets.product}/price", {"price": PRICE})
    check_problem(same_price, 409, "product-retired")
    order = await shop.order(targets.user, (targets.product, 1))
    check_problem(order, 409, "product-retired")


TRANSITIONS = {
    "ship": {"carrier": "Post", "tracking_number": "1"},
    "deliver": None,
    "cancel": {"reason": "late"},
}
RESULTS = {
    "placed": {"ship": "shipped", "cancel": "cancelled"},
    "shipped": {"deliver": "delivered"},
}
PATHS: dict[str, list[str]] = {
    "placed": [],
    "shipped": ["ship"],
    "delivered": ["ship", "deliver"],
    "cancelled": ["cancel"],
}


@pytest.mark.parametrize("state", PATHS)
@pytest.mark.parametrize("transition", TRANSITIONS)
async def test_an_order_changes_its_status_only_if_the_current_one_allows_it(
    shop: AllTokens, state: str, transition: str
) -> None:
    id = (await shop.order(await shop.user(), (await shop.product(), 1))).json()["id"]
    for earlier in PATHS[state]:
        await shop.send("POST", f"/v1/orders/{id}/{earlier}", TRANSITIONS[earlier])
    response = await shop.send("POST", f"/v1/orders/{id}/{transition}", TRANSITIONS[transition])
    after = RESULTS.get(state, {}).get(transition)
    if after is None:
        check_problem(response, 409, "order-state")
    else:
        assert response.status_code == 200
    found = await document(shop, f"/v1/orders/{id}")
    assert found["status"] == (after or state)
    assert found["version"] == 1 + len(PATHS[state]) + (after is not None)


async def test_an_order_reserves_stock_and_cancelling_releases_it(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product(stock=5)
    other = await shop.product(stock=1)
    check_problem(await shop.order(user, (other, 1), (product, 6)), 409, "insufficient-stock")
    id = (await shop.order(user, (product, 5), (other, 1))).json()["id"]
    assert (await document(shop, f"/v1/products/{product}"))["stock"] == 0
    check_problem(await shop.order(user, (product, 1)), 409, "insufficient-stock")
    assert (await shop.send("DELETE", f"/v1/products/{other}")).status_code == 200
    cancelled = await shop.send("POST", f"/v1/orders/{id}/cancel", {"reason": "late"})
    assert cancelled.status_code == 200
    assert (await document(shop, f"/v1/products/{product}"))["stock"] == 5
    retired = await document(shop, f"/v1/products/{other}")
    assert (retired["stock"], retired["status"]) == (1, "retired")


async def test_an_order_keeps_the_prices_and_names_of_its_placing(shop: AllTokens) -> None:
    user, product = await shop.user("Ada"), await shop.product(amount=100, name="Tea")
    id = (await shop.order(user, (product, 3))).json()["id"]
    price = {"amount": 7, "currency": "USD"}
    changed = await shop.send("PUT", f"/v1/products/{product}/price", {"price": price})
    assert changed.status_code == 200
    await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Grace"})
    await shop.send("DELETE", f"/v1/products/{product}")
    found = await document(shop, f"/v1/orders/{id}")
    assert found["customer_name"] == "Ada"
    assert found["items"][0]["unit_price"] == {"amount": 100, "currency": "EUR"}
    assert found["total"] == {"amount": 300, "currency": "EUR"}
    assert found["items"][0]["name"] == "Tea"


async def test_an_order_has_one_currency(shop: AllTokens) -> None:
    user, one, other = await shop.user(), await shop.product(), await shop.product()
    price = {"amount": 250, "currency": "CHF"}
    await shop.send("PUT", f"/v1/products/{other}/price", {"price": price})
    check_problem(await shop.order(user, (one, 1), (other, 1)), 409, "currency-mismatch")


async def test_a_restock_beyond_the_limit_is_409(shop: AllTokens) -> None:
    product = await shop.product(stock=10**9 - 1)
    path = f"/v1/products/{product}/restock"
    check_problem(await shop.send("POST", path, {"quantity": 2}), 409, "stock-limit")
    assert (await shop.send("POST", path, {"quantity": 1})).status_code == 200
    assert (await document(shop, f"/v1/products/{product}"))["stock"] == 10**9


async def test_a_customer_or_product_that_does_not_exist_is_an_unknown_reference(
    shop: AllTokens,
) -> None:
    user, product = await shop.user(), await shop.product()
    erased = await shop.user()
    await shop.send("DELETE", f"/v1/users/{erased}")
    for body in (
        order_body(UNKNOWN_ID, (product, 1)),
        order_body(user, (product, 1), (UNKNOWN_ID, 1)),
        order_body(erased, (product, 1)),
        order_body(product, (product, 1)),
    ):
        check_problem(await shop.send("POST", "/v1/orders", body), 422, "unknown-reference")
