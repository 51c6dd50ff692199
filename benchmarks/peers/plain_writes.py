"""PlaceOrder in a conventional service: FastAPI, models, asyncpg's pool, a transaction each."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated, Any
from uuid import UUID, uuid4

import asyncpg
import orjson
import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, Field

from benchmarks.peers.bearer import caller_dependency


class Line(BaseModel):
    product_id: UUID
    quantity: int = Field(ge=1, le=10_000)


class PlaceOrder(BaseModel):
    customer_id: UUID
    items: Annotated[list[Line], Field(min_length=1, max_length=100)]
    shipping_address: Annotated[str, Field(min_length=1, max_length=500)]


class Placed(BaseModel):
    id: UUID
    version: int


def create_app() -> FastAPI:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.pool = await asyncpg.create_pool(
            os.environ["DATABASE_URL"], database="peers", min_size=16, max_size=16
        )
        yield
        await app.state.pool.close()

    app = FastAPI(lifespan=lifespan)
    caller: Any = caller_dependency()

    @app.post("/v1/orders", status_code=201)
    async def place_order(order: PlaceOrder, claims: dict[str, Any] = caller) -> Placed:
        if "orders:write:all" not in claims["scope"].split():
            raise HTTPException(403)
        async with app.state.pool.acquire() as connection, connection.transaction():
            return await _place(connection, order, claims["sub"])

    return app


async def _place(connection: asyncpg.Connection, order: PlaceOrder, caller: str) -> Placed:
    customer = await connection.fetchval("SELECT name FROM users WHERE id = $1", order.customer_id)
    if customer is None:
        raise HTTPException(422)
    products = await _reserve(connection, order)
    id = uuid4()
    await connection.execute(
        "INSERT INTO orders VALUES ($1, $2, 'placed', 1)", id, order.customer_id
    )
    await connection.executemany(
        "INSERT INTO order_lines VALUES ($1, $2, $3)",
        [(id, line.product_id, line.quantity) for line in order.items],
    )
    await connection.executemany(
        "INSERT INTO outbox (topic, type, subject, actor, data) VALUES ($1, $2, $3, $4, $5)",
        _events(id, order, customer, products, caller),
    )
    return Placed(id=id, version=1)


async def _reserve(connection: asyncpg.Connection, order: PlaceOrder) -> dict[UUID, asyncpg.Record]:
    rows = await connection.fetch(
        "SELECT id, name, amount, currency, stock, version FROM products"
        " WHERE id = ANY ($1) ORDER BY id FOR UPDATE",
        [line.product_id for line in order.items],
    )
    products = {row["id"]: row for row in rows}
    for line in order.items:
        if line.product_id not in products:
            raise HTTPException(422)
        if products[line.product_id]["stock"] < line.quantity:
            raise HTTPException(409)
    await connection.executemany(
        "UPDATE products SET stock = stock - $2, version = version + 1 WHERE id = $1",
        [(line.product_id, line.quantity) for line in order.items],
    )
    return products


def _events(
    id: UUID,
    order: PlaceOrder,
    customer: str,
    products: dict[UUID, asyncpg.Record],
    caller: str,
) -> list[tuple[Any, ...]]:
    lines = [(line, products[line.product_id]) for line in order.items]
    placed = {
        "id": id,
        "version": 1,
        "customer_id": order.customer_id,
        "customer_name": customer,
        "items": [
            {
                "product_id": line.product_id,
                "name": product["name"],
                "quantity": line.quantity,
                "unit_price": {"amount": product["amount"], "currency": product["currency"]},
            }
            for line, product in lines
        ],
        "total": {
            "amount": sum(product["amount"] * line.quantity for line, product in lines),
            "currency": lines[0][1]["currency"],
        },
        "shipping_address": order.shipping_address,
    }
    rows: list[tuple[Any, ...]] = [("orders", "order.placed", id, caller, _json(placed))]
    for line, product in lines:
        reserved = {
            "id": line.product_id,
            "version": product["version"] + 1,
            "order_id": id,
            "quantity": line.quantity,
            "stock": product["stock"] - line.quantity,
        }
        data = _json(reserved)
        rows.append(("products", "product.reserved", line.product_id, None, data))
    return rows


def _json(event: dict[str, Any]) -> str:
    return orjson.dumps(event).decode()


if __name__ == "__main__":
    uvicorn.run(create_app(), port=int(os.environ["PORT"]), access_log=False, log_level="warning")
