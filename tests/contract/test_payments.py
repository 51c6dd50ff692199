"""Payments through the public interface: deadlines, documents, lists, the dashboard."""

import httpx

from tests.contract.client import AllTokens
from tests.contract.requests import order_body
from tests.contract.response_checks import check_problem, document, fields_of, walk
from tests.support.waiting import until

NO_PAYMENT = {
    "status": "none",
    "due_at": None,
    "paid_at": None,
    "reference": None,
    "refunded_at": None,
    "refund_reference": None,
}


async def place(shop: AllTokens, **fields: object) -> httpx.Response:
    user, product = await shop.user(), await shop.product()
    return await shop.send("POST", "/v1/orders", {**order_body(user, (product, 1)), **fields})


async def placed(shop: AllTokens, **fields: object) -> str:
    response = await place(shop, **fields)
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def test_an_order_without_a_deadline_has_no_payment(shop: AllTokens) -> None:
    for fields in ({}, {"pay_within_seconds": None}):
        order = await document(shop, f"/v1/orders/{await placed(shop, **fields)}")
        assert order["payment"] == NO_PAYMENT


async def test_a_payment_and_its_refund_are_in_the_document(shop: AllTokens) -> None:
    id = await placed(shop, pay_within_seconds=600)
    order = await document(shop, f"/v1/orders/{id}")
    assert order["payment"]["status"] == "due"
    assert order["payment"]["due_at"] > order["placed_at"]
    await shop.send("POST", f"/v1/orders/{id}/pay", {"reference": " p-1 "})
    order = await document(shop, f"/v1/orders/{id}")
    assert order["payment"]["status"] == "paid"
    assert order["payment"]["reference"] == "p-1"
    assert order["payment"]["paid_at"] == order["updated_at"]
    await shop.send("POST", f"/v1/orders/{id}/cancel", {"reason": "no"})
    assert (await document(shop, f"/v1/orders/{id}"))["payment"]["status"] == "refund_due"
    await shop.send("POST", f"/v1/orders/{id}/refund", {"reference": "r-1"})
    order = await document(shop, f"/v1/orders/{id}")
    assert order["payment"]["status"] == "refunded"
    assert order["payment"]["refund_reference"] == "r-1"
    assert order["payment"]["refunded_at"] == order["updated_at"]


async def test_an_order_that_is_not_paid_in_time_is_cancelled(shop: AllTokens) -> None:
    id = await placed(shop, pay_within_seconds=1)

    async def cancelled() -> bool:
        return bool((await document(shop, f"/v1/orders/{id}"))["status"] == "cancelled")

    await until(cancelled, "the order is cancelled", seconds=10)
    order = await document(shop, f"/v1/orders/{id}")
    assert (order["cancel_reason"], order["payment"]["status"]) == ("payment overdue", "overdue")
    history = await document(shop, f"/v1/orders/{id}/history")
    assert history["items"][-1]["by"] == "tandem:payment-deadline"
    late = await shop.send("POST", f"/v1/orders/{id}/pay", {"reference": "p-1"})
    assert "cancelled" in check_problem(late, 409, "order-state")["detail"]


async def test_orders_are_listed_by_payment_status_and_counted(shop: AllTokens) -> None:
    before = (await document(shop, "/v1/dashboard"))["payments"]
    due = await placed(shop, pay_within_seconds=600)
    paid = await placed(shop)
    await shop.send("POST", f"/v1/orders/{paid}/pay", {"reference": "p-1"})
    unpaid = await placed(shop)
    for status, id in (("due", due), ("paid", paid), ("none", unpaid)):
        for query in (f"payment={status}", f"payment={status}&status=placed"):
            listed = [order["id"] for order in await walk(shop, f"/v1/orders?{query}", 50)]
            assert id in listed
            assert not ({due, paid, unpaid} - {id}) & set(listed)
    assert due not in [
        o["id"] for o in await walk(shop, "/v1/orders?payment=due&status=shipped", 50)
    ]
    after = (await document(shop, "/v1/dashboard"))["payments"]
    assert after["due"] == before["due"] + 1
    assert after["paid"] == before["paid"] + 1
    assert fields_of(await shop.read("/v1/orders?payment=late")) == {"/payment"}


async def test_a_deadline_outside_of_its_range_is_invalid(shop: AllTokens) -> None:
    for seconds in (0, -1, 2_592_001, "60", 1.5, True):
        response = await place(shop, pay_within_seconds=seconds)
        assert fields_of(response) == {"/pay_within_seconds"}, seconds
    for seconds in (1, 2_592_000):
        assert (await place(shop, pay_within_seconds=seconds)).status_code == 201
