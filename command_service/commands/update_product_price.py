"""UpdateProductPrice: another currency is allowed; existing orders keep their price."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Price
from command_service.commands.targets import target_product
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductPriceChanged
from shared.contracts.money import Money


class UpdateProductPrice(CommandMessage):
    price: Price


def required_state(message: UpdateProductPrice, context: Context) -> RequiredState:
    return RequiredState(products=(context.id,))


def update_product_price(message: UpdateProductPrice, context: Context, shop: Shop) -> list[Event]:
    product = target_product(shop, context)
    price = Money(amount=message.price.amount, currency=message.price.currency)
    if product.price == price:
        return []
    return [ProductPriceChanged(id=product.id, version=product.version + 1, price=price)]


COMMAND = Command(
    name="UpdateProductPrice",
    message=UpdateProductPrice,
    method="PUT",
    path="/v1/products/{id}/price",
    topic="products",
    scopes=("products:write",),
    required_state=required_state,
    decide=update_product_price,
    problems=("product-retired",),
)
