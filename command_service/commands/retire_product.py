"""RetireProduct: ends its sale; existing orders keep it."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.targets import target_product
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductRetired


class RetireProduct(CommandMessage):
    pass


def required_state(message: RetireProduct, context: Context) -> RequiredState:
    return RequiredState(products=(context.id,))


def retire_product(message: RetireProduct, context: Context, shop: Shop) -> list[Event]:
    product = target_product(shop, context)
    return [ProductRetired(id=product.id, version=product.version + 1)]


COMMAND = Command(
    name="RetireProduct",
    message=RetireProduct,
    method="DELETE",
    path="/v1/products/{id}",
    topic="products",
    scopes=("products:write",),
    required_state=required_state,
    decide=retire_product,
    problems=("product-retired",),
)
