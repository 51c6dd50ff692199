"""A program that calls Tandem through two clients generated from its OpenAPI documents only.

They are importable as `command_client` and `query_client`.
"""

# mypy: ignore-errors
import os

from command_client import AuthenticatedClient
from command_client.api.orders import place_order
from command_client.api.products import add_product
from command_client.api.users import create_user
from command_client.models import AddProduct, CreateUser, OrderLine, PlaceOrder, Price
from query_client import AuthenticatedClient as QueryClient
from query_client.api.orders import get_order_summary
from query_client.models import OrderDocument


def main() -> None:
    commands = AuthenticatedClient(os.environ["COMMAND_URL"], token=os.environ["TOKEN"])
    queries = QueryClient(os.environ["QUERY_URL"], token=os.environ["TOKEN"])
    customer = create_user.sync(
        client=commands, body=CreateUser(name="Ada", email="generated@example.com")
    )
    price = Price(amount=450, currency="EUR")
    product = add_product.sync(
        client=commands,
        body=AddProduct(name="Green tea", description="100 g", price=price, stock=10),
    )
    placed = place_order.sync_detailed(
        client=commands,
        idempotency_key="generated-1",
        body=PlaceOrder(
            customer_id=customer.id,
            items=[OrderLine(product_id=product.id, quantity=2)],
            shipping_address="1 Main Street",
        ),
    )
    order = get_order_summary.sync(
        placed.parsed.id,
        client=queries,
        consistency_token=placed.headers["consistency-token"],
        prefer="wait=30",
    )
    assert isinstance(order, OrderDocument), order
    [line] = order.items
    total = f"{order.total.amount} {order.total.currency}"
    print(f"placed {line.quantity} x {line.name}, total {total}")  # noqa: T201


if __name__ == "__main__":
    main()
