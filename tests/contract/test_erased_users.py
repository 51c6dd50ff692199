"""EraseUser removes the user from every view, and personal data from the user's orders."""

from tests.contract.client import AllTokens
from tests.contract.requests import new_email
from tests.contract.response_checks import check_problem, document, walk
from tests.support.waiting import until

LABEL = {"carrier": "Post", "tracking_number": "1"}
PERSONAL = {"customer_name", "shipping_address", "carrier", "tracking_number", "reason"}


async def test_an_erased_user_is_in_no_view_and_the_email_can_be_used_again(
    shop: AllTokens,
) -> None:
    email = new_email()
    user = await shop.user("Ada", email)
    erased = await shop.send("DELETE", f"/v1/users/{user}")
    assert (erased.status_code, erased.json()) == (200, {"id": user, "version": 2})
    for path in ("", "/orders", "/history"):
        check_problem(await shop.read(f"/v1/users/{user}{path}"), 404, "not-found")
    assert user not in [item["id"] for item in await walk(shop, "/v1/users", 200)]
    assert await shop.user("Bea", email.upper()) != user


async def test_orders_of_an_erased_user_are_anonymized_within_a_minute(shop: AllTokens) -> None:
    user, product = await shop.user("Ada"), await shop.product()
    orders = [(await shop.order(user, (product, 1))).json()["id"] for _ in range(3)]
    await shop.send("POST", f"/v1/orders/{orders[1]}/ship", LABEL)
    await shop.send("POST", f"/v1/orders/{orders[2]}/cancel", {"reason": "late"})
    before = [await document(shop, f"/v1/orders/{id}") for id in orders]
    await shop.send("DELETE", f"/v1/users/{user}")

    async def anonymized() -> bool:
        now = [await document(shop, f"/v1/orders/{id}") for id in orders]
        return all(order["customer_name"] is None for order in now)

    await until(anonymized, "the orders are anonymized", seconds=60)
    for earlier in before:
        now = await document(shop, f"/v1/orders/{earlier['id']}")
        assert now["version"] == earlier["version"] + 1
        assert now == {
            **earlier,
            "customer_name": None,
            "shipping_address": None,
            "carrier": None,
            "tracking_number": None,
            "cancel_reason": None,
            "version": now["version"],
            "updated_at": now["updated_at"],
        }
    listed = {order["id"]: order for order in await walk(shop, "/v1/orders", 200)}
    assert all(listed[id]["customer_name"] is None for id in orders)
    cancelled = await shop.send("POST", f"/v1/orders/{orders[0]}/cancel", {"reason": "erased"})
    assert cancelled.status_code == 200
    for id in orders:
        for item in (await document(shop, f"/v1/orders/{id}/history"))["items"]:
            assert not PERSONAL & {name for name, value in item["data"].items() if value}


async def test_an_erased_user_accepts_no_command(shop: AllTokens) -> None:
    user = await shop.user()
    assert (await shop.send("DELETE", f"/v1/users/{user}")).status_code == 200
    check_problem(await shop.send("DELETE", f"/v1/users/{user}"), 404, "not-found")
    rename = await shop.send("PUT", f"/v1/users/{user}/name", {"name": "Ada"})
    check_problem(rename, 404, "not-found")
    product = await shop.product()
    check_problem(await shop.order(user, (product, 1)), 422, "unknown-reference")
