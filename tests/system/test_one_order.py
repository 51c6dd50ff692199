"""One order from POST to view, through every process."""

from tests.support.shop import Shop
from tests.support.stack import Stack
from tests.support.topics import read_topic


async def test_an_order_is_readable_with_its_token(shop: Shop) -> None:
    customer, product = await shop.user("Ada"), await shop.product(amount=450)
    placed = await shop.order(customer, (product, 2))
    assert placed.status_code == 201
    id = placed.json()["id"]
    view = await shop.query(placed.headers["location"], Prefer="wait=10")
    assert view.status_code == 200, view.text
    assert view.headers["etag"] == '"1"'
    document = view.json()
    placed_at = document["placed_at"]
    assert placed_at.endswith("Z")
    assert document == {
        "id": id,
        "customer_id": customer,
        "customer_name": "Ada",
        "status": "placed",
        "items": [
            {
                "product_id": product,
                "name": "Tea",
                "quantity": 2,
                "unit_price": {"amount": 450, "currency": "EUR"},
                "subtotal": {"amount": 900, "currency": "EUR"},
            }
        ],
        "item_count": 1,
        "total": {"amount": 900, "currency": "EUR"},
        "shipping_address": "1 Main Street",
        "carrier": None,
        "tracking_number": None,
        "cancel_reason": None,
        "payment": {
            "status": "none",
            "due_at": None,
            "paid_at": None,
            "refunded_at": None,
            "reference": None,
            "refund_reference": None,
        },
        "placed_at": placed_at,
        "shipped_at": None,
        "delivered_at": None,
        "cancelled_at": None,
        "version": 1,
        "updated_at": placed_at,
    }
    stock = await shop.query(f"/v1/products/{product}")
    assert (stock.json()["stock"], stock.json()["version"]) == (998, 2)
    of_customer = await shop.query(f"/v1/users/{customer}/orders")
    assert [item["id"] for item in of_customer.json()["items"]] == [id]


async def test_the_event_is_published_as_a_cloudevent(stack: Stack, shop: Shop) -> None:
    customer, product = await shop.user(), await shop.product()
    id = (await shop.order(customer, (product, 1))).json()["id"]
    assert (await shop.query(f"/v1/orders/{id}", Prefer="wait=10")).status_code == 200
    partitions = await read_topic(stack.kafka.bootstrap_servers, "orders")
    partition = int(id[-3:], 16) % 12
    (record,) = [r for r in partitions[partition] if r.subject == id]
    assert (record.type, record.actor, record.shard) == (
        "order.placed",
        "tester",
        f"orders.{partition}",
    )
    assert [r.position for r in partitions[partition]] == list(
        range(1, len(partitions[partition]) + 1)
    )
