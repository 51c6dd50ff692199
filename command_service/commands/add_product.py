"""AddProduct."""

from command_service.commands.command import Command, CommandMessage, Context, RequiredState
from command_service.commands.fields import Description, Name, Price, Stock
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductAdded
from shared.contracts.money import Money


class AddProduct(CommandMessage):
    name: Name
    description: Description
    price: Price
    stock: Stock


def required_state(message: AddProduct, context: Context) -> RequiredState:
    return RequiredState()


def add_product(message: AddProduct, context: Context, shop: Shop) -> list[Event]:
    return [
        ProductAdded(
            id=context.id,
            version=1,
            name=message.name,
            description=message.description,
            price=Money(amount=message.price.amount, currency=message.price.currency),
            stock=message.stock,
        )
    ]


COMMAND = Command(
    name="AddProduct",
    message=AddProduct,
    method="POST",
    path="/v1/products",
    topic="products",
    scopes=("products:write",),
    required_state=required_state,
    decide=add_product,
    creates=True,
)
