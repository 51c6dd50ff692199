"""A product: its price, its stock, and whether it is retired."""

from typing import Final, NamedTuple, assert_never

from shared.contracts.events import (
    ProductAdded,
    ProductEvent,
    ProductPriceChanged,
    ProductReleased,
    ProductReserved,
    ProductRestocked,
    ProductRetired,
)
from shared.contracts.money import Money

MAX_STOCK: Final = 10**9


class Product(NamedTuple):
    id: str
    name: str
    price: Money
    stock: int
    retired: bool
    version: int


def evolve_product(product: Product | None, event: ProductEvent) -> Product:
    """The product after the event."""
    if product is None:
        assert isinstance(event, ProductAdded)
        return Product(event.id, event.name, event.price, event.stock, False, event.version)
    match event:
        case ProductReserved() | ProductRestocked() | ProductReleased():
            return product._replace(stock=event.stock, version=event.version)
        case ProductPriceChanged():
            return product._replace(price=event.price, version=event.version)
        case ProductRetired():
            return product._replace(retired=True, version=event.version)
        case ProductAdded():
            raise ValueError("a product is added once")
        case _:
            assert_never(event)
