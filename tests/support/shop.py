"""A client of Tandem, as another service would implement it."""

from dataclasses import dataclass, field
from itertools import count
from typing import Any

import httpx

_EMAILS = count(1)


@dataclass(slots=True)
class Shop:
    """Sends commands and queries; `token` is the last consistency token that it received."""

    client: httpx.AsyncClient
    command_url: str
    query_url: str
    token: str = field(default="")

    async def send(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> httpx.Response:
        """A command. `headers` are named with underscores."""
        response = await self.client.request(
            method, self.command_url + path, json=body, headers=_header_names(headers)
        )
        self.token = response.headers.get("consistency-token", self.token)
        return response

    async def query(self, path: str, token: str | None = None, **headers: str) -> httpx.Response:
        """A query, with the last token by default; an empty `token` sends none."""
        sent = _header_names(headers)
        if consistency_token := self.token if token is None else token:
            sent["consistency-token"] = consistency_token
        return await self.client.get(self.query_url + path, headers=sent)

    async def user(self, name: str = "Ada", email: str | None = None) -> str:
        body = {"name": name, "email": email or f"user{next(_EMAILS)}@example.com"}
        return _id(await self.send("POST", "/v1/users", body))

    async def product(self, stock: int = 1000, amount: int = 250, name: str = "Tea") -> str:
        price = {"amount": amount, "currency": "EUR"}
        body = {"name": name, "description": "loose", "price": price, "stock": stock}
        return _id(await self.send("POST", "/v1/products", body))

    async def order(self, customer: str, *lines: tuple[str, int], **headers: str) -> httpx.Response:
        items = [{"product_id": product, "quantity": quantity} for product, quantity in lines]
        address = "1 Main Street"
        body = {"customer_id": customer, "items": items, "shipping_address": address}
        return await self.send("POST", "/v1/orders", body, **headers)


def _id(response: httpx.Response) -> str:
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def _header_names(headers: dict[str, str]) -> dict[str, str]:
    return {name.replace("_", "-"): value for name, value in headers.items()}
