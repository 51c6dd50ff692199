"""Complete HTTP/1.1 requests, created before the measurement."""

import random
from collections.abc import Sequence
from typing import Any

import orjson


def get(path: str, authorization: str | None = None) -> bytes:
    token = f"Authorization: {authorization}\r\n" if authorization else ""
    return f"GET {path} HTTP/1.1\r\nHost: bench\r\n{token}\r\n".encode()


def post(path: str, body: Any, authorization: str | None = None) -> bytes:
    content = orjson.dumps(body)
    token = f"Authorization: {authorization}\r\n" if authorization else ""
    head = (
        f"POST {path} HTTP/1.1\r\nHost: bench\r\n{token}"
        f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def place_orders(
    customers: Sequence[str],
    products: Sequence[str],
    authorization: str | None,
    count: int = 5000,
    lines: int = 3,
) -> list[bytes]:
    """Orders of `lines` lines with random customers and products; the same ones in every run."""
    draw = random.Random(3)
    return [
        post(
            "/v1/orders",
            {
                "customer_id": draw.choice(customers),
                "items": [
                    {"product_id": product, "quantity": draw.randint(1, 5)}
                    for product in draw.sample(products, lines)
                ],
                "shipping_address": "1 Main Street, 12345 Springfield",
            },
            authorization,
        )
        for _ in range(count)
    ]
