"""The view of products, which are listed by the prefixes of their words."""

from typing import Final, assert_never

from projector.views.view import View, absent, event_types, existing
from shared.contracts.dashboard_parts import ProductsPart
from shared.contracts.documents import MoneyDocument, ProductDocument
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
from shared.contracts.views import MAX_PREFIX_LENGTH, ids_key, prefix_key
from shared.contracts.words import words_of


def project(
    document: ProductDocument | None, event: ProductEvent, at: str
) -> ProductDocument | None:
    match event:
        case ProductReserved() | ProductRestocked() | ProductReleased():
            product = _changed(document, event, at)
            product["stock"] = event.stock
            return product
        case ProductAdded():
            absent(document)
            return _added(event, at)
        case ProductPriceChanged():
            product = _changed(document, event, at)
            product["price"] = _money(event.price)
            return product
        case ProductRetired():
            product = _changed(document, event, at)
            product["status"] = "retired"
            return product
        case _:
            assert_never(event)


def owner(product: ProductDocument) -> None:
    """None: every caller may read it."""


def lists(shard: str, product: ProductDocument) -> list[str]:
    if product["status"] != "active":
        return []
    words = words_of(f"{product['name']} {product['description']}")
    starts = {word[:MAX_PREFIX_LENGTH] for word in words}
    prefixes = {start[:length] for start in starts for length in range(1, len(start) + 1)}
    return [ids_key(shard), *(prefix_key(shard, prefix) for prefix in sorted(prefixes))]


def empty_part() -> ProductsPart:
    return {"active": 0, "sold_out": 0}


def count(
    part: ProductsPart, before: ProductDocument | None, after: ProductDocument | None
) -> None:
    if before and after and _counted(before) == _counted(after):
        return
    part["active"] += _active(after) - _active(before)
    part["sold_out"] += _sold_out(after) - _sold_out(before)


def _added(event: ProductAdded, at: str) -> ProductDocument:
    return {
        "id": event.id,
        "name": event.name,
        "description": event.description,
        "price": _money(event.price),
        "stock": event.stock,
        "status": "active",
        "version": event.version,
        "created_at": at,
        "updated_at": at,
    }


def _changed(document: ProductDocument | None, event: ProductEvent, at: str) -> ProductDocument:
    product: ProductDocument = existing(document).copy()
    product["version"] = event.version
    product["updated_at"] = at
    return product


def _money(money: Money) -> MoneyDocument:
    return {"amount": money.amount, "currency": money.currency}


def _counted(product: ProductDocument) -> tuple[str, bool]:
    return product["status"], product["stock"] == 0


def _active(product: ProductDocument | None) -> bool:
    return product is not None and product["status"] == "active"


def _sold_out(product: ProductDocument | None) -> bool:
    return product is not None and product["status"] == "active" and product["stock"] == 0


PRODUCTS: Final = View(
    name="products",
    topic="products",
    events=event_types(ProductEvent),
    project=project,
    owner=owner,
    lists=lists,
    listed_by=("status", "name", "description"),
    empty_part=empty_part,
    count=count,
    size=lambda part: part["active"],
    adds=(ProductAdded,),
    removes=(ProductRetired,),
)
