"""A product: its price, its stock, and whether it is still sold."""

from dataclasses import dataclass, replace
from typing import Final, assert_never

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

MOST_STOCK: Final = 10**9


@dataclass(frozen=True, slots=True)
class Product:
    id: str
    name: str
    price: Money
    stock: int
    retired: bool
    version: int


def evolve_product(product: Product | None, event: ProductEvent) -> Product:
    """The product after the event."""
    if isinstance(event, ProductAdded):
        return Product(event.id, event.name, event.price, event.stock, False, event.version)
    assert product is not None
    match event:
        case ProductPriceChanged():
            return replace(product, price=event.price, version=event.version)
        case ProductRestocked() | ProductReserved() | ProductReleased():
            return replace(product, stock=event.stock, version=event.version)
        case ProductRetired():
            return replace(product, retired=True, version=event.version)
        case _:
            assert_never(event)
