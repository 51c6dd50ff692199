"""The page that lists of orders answer with."""

from typing_extensions import TypedDict

from shared.contracts.documents import OrderDocument


class OrderPage(TypedDict):
    items: list[OrderDocument]
    next: str | None
