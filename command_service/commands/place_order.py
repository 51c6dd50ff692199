"""PlaceOrder: copies names and prices as they are now; stock is never oversold."""

from datetime import datetime, timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, Field

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Address, JsonInteger, Quantity
from command_service.domain.products import Product
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.domain.users import User
from shared.contracts.events import Event, OrderPlaced, PlacedItem, ProductReserved
from shared.contracts.ids import Id
from shared.contracts.money import Money
from shared.contracts.times import format_time

MAX_PAYMENT_SECONDS: Final = 30 * 24 * 3600


class OrderLine(CommandMessage):
    product_id: Id
    quantity: Quantity


def _each_product_once(lines: list[OrderLine]) -> list[OrderLine]:
    if len({line.product_id for line in lines}) < len(lines):
        raise ValueError("must name a product at most once")
    return lines


class PlaceOrder(CommandMessage):
    customer_id: Id
    items: Annotated[
        list[OrderLine], Field(min_length=1, max_length=100), AfterValidator(_each_product_once)
    ]
    shipping_address: Address
    pay_within_seconds: Annotated[int, Field(ge=1, le=MAX_PAYMENT_SECONDS), JsonInteger] | None = (
        None
    )


def required_state(message: PlaceOrder, context: Context) -> RequiredState:
    products = tuple(line.product_id for line in message.items)
    return RequiredState(users=(message.customer_id,), products=products)


def place_order(message: PlaceOrder, context: Context, shop: Shop) -> list[Event]:
    customer = _customer(message, shop)
    lines = [(_existing_product(line, shop), line.quantity) for line in message.items]
    currency = lines[0][0].price.currency
    for product, quantity in lines:
        _check_sellable(product, quantity, currency)
    placed = OrderPlaced(
        id=context.id,
        version=1,
        customer_id=customer.id,
        customer_name=customer.name,
        items=[_item(product, quantity) for product, quantity in lines],
        total=Money(amount=sum(p.price.amount * q for p, q in lines), currency=currency),
        shipping_address=message.shipping_address,
        payment_due_at=_payment_due_at(message, context.at),
    )
    return [placed, *(_reserve(product, quantity, context.id) for product, quantity in lines)]


def _customer(message: PlaceOrder, shop: Shop) -> User:
    customer = shop.users.get(message.customer_id)
    if customer is None or customer.erased:
        raise Rejection("unknown-reference", "the customer does not exist")
    return customer


def _existing_product(line: OrderLine, shop: Shop) -> Product:
    product = shop.products.get(line.product_id)
    if product is None:
        raise Rejection("unknown-reference", f"the product {line.product_id} does not exist")
    return product


def _check_sellable(product: Product, quantity: int, currency: str) -> None:
    if product.retired:
        raise Rejection("product-retired", f"the product {product.id} is retired")
    if product.price.currency != currency:
        raise Rejection("currency-mismatch", "the products are priced in different currencies")
    if product.stock < quantity:
        raise Rejection("insufficient-stock", f"the product {product.id} has {product.stock} left")


def _payment_due_at(message: PlaceOrder, placed_at: datetime) -> str | None:
    if message.pay_within_seconds is None:
        return None
    return format_time(placed_at + timedelta(seconds=message.pay_within_seconds))


def _item(product: Product, quantity: int) -> PlacedItem:
    return PlacedItem(
        product_id=product.id, name=product.name, quantity=quantity, unit_price=product.price
    )


def _reserve(product: Product, quantity: int, order_id: str) -> ProductReserved:
    return ProductReserved(
        id=product.id,
        version=product.version + 1,
        order_id=order_id,
        quantity=quantity,
        stock=product.stock - quantity,
    )


COMMAND = Command(
    name="PlaceOrder",
    message=PlaceOrder,
    method="POST",
    path="/v1/orders",
    topic="orders",
    scopes=("orders:write", "orders:write:all"),
    required_state=required_state,
    decide=place_order,
    problems=("unknown-reference", "product-retired", "currency-mismatch", "insufficient-stock"),
    creates=True,
    owner=lambda message: message.customer_id,
)
