"""AddProduct."""

from command_service.commands.command import Command, Context, Message, Touched
from command_service.commands.fields import Description, Name, Price, Stock
from command_service.domain.shop import Shop
from shared.contracts.events import Event, ProductAdded
from shared.contracts.money import Money


class AddProduct(Message):
    name: Name
    description: Description
    price: Price
    stock: Stock


def touches(message: AddProduct, context: Context) -> Touched:
    return Touched()


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
    touches=touches,
    decide=add_product,
    creates=True,
)
