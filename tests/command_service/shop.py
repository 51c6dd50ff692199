"""Sends the commands that most tests start with, and reads the database."""

import asyncpg
import httpx

from tests.support.database import Database


async def create_user(commands: httpx.AsyncClient, email: str = "ada@example.com") -> str:
    response = await commands.post("/v1/users", json={"name": "Ada", "email": email})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


async def add_product(commands: httpx.AsyncClient, stock: int = 10, amount: int = 250) -> str:
    product = {"name": "Tea", "description": "Green", "stock": stock}
    price = {"amount": amount, "currency": "EUR"}
    response = await commands.post("/v1/products", json={**product, "price": price})
    assert response.status_code == 201, response.text
    return str(response.json()["id"])


def order(customer: str, *lines: tuple[str, int]) -> dict[str, object]:
    return {
        "customer_id": customer,
        "items": [{"product_id": product, "quantity": quantity} for product, quantity in lines],
        "shipping_address": "1 Main Street",
    }


async def log_types(database: Database) -> dict[str, int]:
    rows = await fetch(database, "SELECT type, count(*) AS n FROM log GROUP BY type")
    return {row["type"]: row["n"] for row in rows}


async def fetch(database: Database, sql: str) -> list[asyncpg.Record]:
    connection = await asyncpg.connect(database.admin_url)
    try:
        return list(await connection.fetch(sql))
    finally:
        await connection.close()
