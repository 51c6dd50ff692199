"""Ids, money, times and strings: accepted and rejected values, and their representation."""

import re
from typing import Any

import pytest

from tests.contract.client import AllTokens
from tests.contract.requests import PRICE, Targets, calls, new_email, order_body
from tests.contract.response_checks import check_problem, document, fields_of

UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
RFC3339 = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")


def _user(**fields: Any) -> dict[str, Any]:
    return {"name": "Ada", "email": new_email(), **fields}


def _product(**fields: Any) -> dict[str, Any]:
    return {"name": "Tea", "description": "", "price": PRICE, "stock": 1, **fields}


async def test_ids_are_uuid7_and_an_order_is_colocated_with_its_customer(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    order = (await shop.order(user, (product, 1))).json()["id"]
    for id in (user, product, order):
        assert UUID7.fullmatch(id)
    assert order[-3:] == user[-3:]
    assert order > user


async def test_times_are_utc_with_a_z(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    order = (await shop.order(user, (product, 1))).json()["id"]
    for path in (f"/v1/users/{user}", f"/v1/products/{product}"):
        found = await document(shop, path)
        assert RFC3339.fullmatch(found["created_at"])
        assert RFC3339.fullmatch(found["updated_at"])
    assert RFC3339.fullmatch((await document(shop, f"/v1/orders/{order}"))["placed_at"])


BAD_STRINGS: tuple[Any, ...] = (
    "",
    " \t\n",
    "a\0b",
    "a\x07b",
    "a\x1fb",
    "a\x7fb",
    "a\x85b",
    None,
    1,
    True,
    [],
    {},
)


@pytest.mark.parametrize(
    ("field", "max_length"),
    [
        *[("name", 200), ("email", 254), ("carrier", 100), ("tracking_number", 100)],
        ("reference", 100),
        *[("reason", 500), ("shipping_address", 500), ("description", 5000), ("product", 200)],
    ],
)
async def test_a_string_is_limited_in_characters_and_trimmed(
    shop: AllTokens, field: str, max_length: int
) -> None:
    targets = await Targets.create(shop)
    command, name = {
        "name": ("UpdateUserName", "name"),
        "email": ("UpdateUserEmail", "email"),
        "carrier": ("ShipOrder", "carrier"),
        "tracking_number": ("ShipOrder", "tracking_number"),
        "reference": ("PayOrder", "reference"),
        "reason": ("CancelOrder", "reason"),
        "shipping_address": ("PlaceOrder", "shipping_address"),
        "description": ("AddProduct", "description"),
        "product": ("AddProduct", "name"),
    }[field]
    call = calls(targets)[command]
    assert call.body is not None
    tail = f"@{new_email().replace('@', '.')}" if field == "email" else ""
    limit_value = "\U0001f375" * (max_length - len(tail)) + tail
    bad: list[Any] = [v for v in BAD_STRINGS if name != "description" or (v != "" and v != " \t\n")]
    for value in [*bad, "x" + limit_value]:
        response = await shop.send(call.method, call.path, {**call.body, name: value})
        assert fields_of(response) == {f"/{name}"}, value
    without = {key: value for key, value in call.body.items() if key != name}
    assert fields_of(await shop.send(call.method, call.path, without)) == {f"/{name}"}
    full = {**call.body, name: f" \u3000{limit_value}\n"}
    assert (await shop.send(call.method, call.path, full)).status_code in (200, 201)


async def test_surrounding_whitespace_is_trimmed_and_inner_kept(shop: AllTokens) -> None:
    body = _user(name="  Ada\t\nLovelace \u2003")
    id = (await shop.send("POST", "/v1/users", body)).json()["id"]
    assert (await document(shop, f"/v1/users/{id}"))["name"] == "Ada\t\nLovelace"
    body = _product(description=" \n ")
    id = (await shop.send("POST", "/v1/products", body)).json()["id"]
    assert (await document(shop, f"/v1/products/{id}"))["description"] == ""


NOT_NUMBERS: tuple[Any, ...] = (-1, 1.5, "1", None, True, [], {}, 10**30, -(10**30))


@pytest.mark.parametrize(
    ("field", "minimum", "maximum"),
    [("stock", 0, 10**9), ("amount", 0, 10**9), ("quantity", 1, 10**4), ("restock", 1, 10**9)],
)
async def test_a_number_is_an_integer_within_its_limits(
    shop: AllTokens, field: str, minimum: int, maximum: int
) -> None:
    user, product = await shop.user(), await shop.product(stock=0)
    full = await shop.product(stock=10**6)
    path, pointer = {
        "stock": ("/v1/products", "/stock"),
        "amount": ("/v1/products", "/price/amount"),
        "quantity": ("/v1/orders", "/items/0/quantity"),
        "restock": (f"/v1/products/{product}/restock", "/quantity"),
    }[field]

    def body(value: Any) -> dict[str, Any]:
        return {
            "stock": _product(stock=value),
            "amount": _product(price={"amount": value, "currency": "EUR"}),
            "quantity": order_body(user, (full, value)),
            "restock": {"quantity": value},
        }[field]

    for value in (*NOT_NUMBERS, minimum - 1, maximum + 1):
        assert fields_of(await shop.send("POST", path, body(value))) == {pointer}, value
    assert (await shop.send("POST", path, body(maximum))).status_code in (200, 201)
    if field != "restock":
        assert (await shop.send("POST", path, body(minimum))).status_code == 201


@pytest.mark.parametrize("currency", ["eur", "EURO", "ZZZ", "", " EUR", "€", None, 978])
async def test_a_currency_is_an_iso_4217_code(shop: AllTokens, currency: Any) -> None:
    price = {"amount": 1, "currency": currency}
    response = await shop.send("POST", "/v1/products", _product(price=price))
    assert fields_of(response) == {"/price/currency"}


async def test_unknown_fields_are_rejected_at_any_depth(shop: AllTokens) -> None:
    targets = await Targets.create(shop)
    for name, call in calls(targets).items():
        response = await shop.send(call.method, call.path, {**(call.body or {}), "extra": 1})
        assert "/extra" in fields_of(response), name
    price = {**PRICE, "extra": 1}
    response = await shop.send("POST", "/v1/products", _product(price=price))
    assert fields_of(response) == {"/price/extra"}
    body = order_body(targets.user, (targets.product, 1))
    body["items"][0]["a/b~c"] = 1
    assert fields_of(await shop.send("POST", "/v1/orders", body)) == {"/items/0/a~1b~0c"}


async def test_an_order_has_1_to_100_lines_and_a_product_at_most_once(shop: AllTokens) -> None:
    user = await shop.user()
    products = [await shop.product() for _ in range(101)]
    for lines in ([], [(p, 1) for p in products], [(products[0], 1), (products[0].upper(), 2)]):
        assert {f.split("/")[1] for f in fields_of(await shop.order(user, *lines))} == {"items"}
    placed = await shop.order(user, *[(p, 1) for p in products[:100]])
    assert placed.status_code == 201
    found = await document(shop, f"/v1/orders/{placed.json()['id']}")
    assert (found["item_count"], found["total"]["amount"]) == (100, 25_000)
    assert [item["product_id"] for item in found["items"]] == products[:100]


async def test_a_reference_that_is_not_a_uuid_is_an_invalid_field(shop: AllTokens) -> None:
    user, product = await shop.user(), await shop.product()
    for bad in ("", "x", "1", product[:-1], product + "0", None, 5, f"{{{product}}}"):
        assert fields_of(await shop.order(bad, (product, 1))) == {"/customer_id"}  # type: ignore[arg-type]
        assert fields_of(await shop.order(user, (bad, 1))) == {"/items/0/product_id"}  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("used", "same"),
    [
        ("Straße@x.de", "STRASSE@X.DE"),
        ("jose\u0301@x.es", "JOS\u00c9@x.es"),
        ("ΣΑΣ@x.gr", "σας@x.gr"),
    ],
)
async def test_an_email_belongs_to_one_user_after_nfc_and_case_folding(
    shop: AllTokens, used: str, same: str
) -> None:
    first = await shop.user(email=used)
    response = await shop.send("POST", "/v1/users", _user(email=same))
    check_problem(response, 409, "email-taken")
    assert (await document(shop, f"/v1/users/{first}"))["email"] == used
    respelled = await shop.send("PUT", f"/v1/users/{first}/email", {"email": same})
    assert (respelled.status_code, respelled.json()["version"]) == (200, 2)
    assert (await document(shop, f"/v1/users/{first}"))["email"] == same
    other = await shop.user()
    response = await shop.send("PUT", f"/v1/users/{other}/email", {"email": used})
    check_problem(response, 409, "email-taken")
    await shop.send("PUT", f"/v1/users/{first}/email", {"email": new_email()})
    response = await shop.send("PUT", f"/v1/users/{other}/email", {"email": used})
    assert response.status_code == 200
