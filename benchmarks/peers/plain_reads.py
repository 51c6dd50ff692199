"""GET an order in a conventional service: FastAPI, a model, redis-py's pool, PyJWT."""

import os
from typing import Any
from uuid import UUID

import uvicorn
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel
from redis.asyncio import Redis

from benchmarks.peers.bearer import caller_dependency


class Money(BaseModel):
    amount: int
    currency: str


class Item(BaseModel):
    product_id: UUID
    name: str
    quantity: int
    unit_price: Money
    subtotal: Money


class Order(BaseModel):
    id: UUID
    customer_id: UUID
    customer_name: str | None
    status: str
    items: list[Item]
    item_count: int
    total: Money
    shipping_address: str | None
    carrier: str | None
    tracking_number: str | None
    cancel_reason: str | None
    placed_at: str
    shipped_at: str | None
    delivered_at: str | None
    cancelled_at: str | None
    version: int
    updated_at: str


def create_app() -> FastAPI:
    app = FastAPI()
    redis = Redis.from_url(os.environ["REDIS_URL"])
    caller: Any = caller_dependency()

    @app.get("/v1/orders/{id}")
    async def get_order(id: UUID, claims: dict[str, Any] = caller) -> Order:
        stored = await redis.get(f"order:{id}")
        if stored is None:
            raise HTTPException(404)
        order = Order.model_validate_json(stored)
        scopes = claims["scope"].split()
        if "orders:read:all" not in scopes and claims["sub"] != str(order.customer_id):
            raise HTTPException(404)
        return order

    return app


if __name__ == "__main__":
    uvicorn.run(create_app(), port=int(os.environ["PORT"]), access_log=False, log_level="warning")
