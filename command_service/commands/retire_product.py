"""RetireProduct: no longer sold; past orders keep it."""

from command_service.commands.command import Command, Context, Message, Touched
from command_service.commands.targets import target_product
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductRetired


class RetireProduct(Message):
    pass


def touches(message: RetireProduct, context: Context) -> Touched:
    return Touched(products=(context.id,))


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
    touches=touches,
    decide=retire_product,
    problems=("product-retired",),
)
