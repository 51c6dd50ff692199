"""RestockProduct: adds stock, up to a maximum."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import RestockQuantity
from command_service.commands.targets import target_product
from command_service.domain.products import MAX_STOCK
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductRestocked


class RestockProduct(CommandMessage):
    quantity: RestockQuantity


def required_state(message: RestockProduct, context: Context) -> RequiredState:
    return RequiredState(products=(context.id,))


def restock_product(message: RestockProduct, context: Context, shop: Shop) -> list[Event]:
    product = target_product(shop, context)
    stock = product.stock + message.quantity
    if stock > MAX_STOCK:
        raise Rejection("stock-limit", f"the stock would exceed {MAX_STOCK}")
    return [
        ProductRestocked(
            id=product.id, version=product.version + 1, quantity=message.quantity, stock=stock
        )
    ]


COMMAND = Command(
    name="RestockProduct",
    message=RestockProduct,
    method="POST",
    path="/v1/products/{id}/restock",
    topic="products",
    scopes=("products:write",),
    required_state=required_state,
    decide=restock_product,
    problems=("product-retired", "stock-limit"),
)
