"""Loads a shop into the write store and the event log with COPY, in the form that commands produce.

Placing a million orders by command would take too long. In a running system only `append` may write
the event log: use this on a database without other writers.
"""

import time
from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from random import Random
from typing import Any, Final

import asyncpg
import orjson

from shared.contracts.ids import new_id, placement
from shared.contracts.shards import DEFAULT_PARTITIONS, Topic, shard_of

_DAYS: Final = 25
_CHUNK: Final = 10_000
_STOCK: Final = 500_000_000
_LOG: Final = (
    *("shard", "position", "event_id", "type", "subject"),
    *("actor", "time", "traceparent", "data"),
)
_WORDS: Final = (
    *("green", "black", "white", "tea", "coffee", "cup", "pot", "kettle", "spoon", "filter"),
    *("oak", "steel", "glass", "small", "large", "travel", "organic", "dark", "light", "gift"),
)
Row = tuple[Any, ...]


class BulkLoader:
    """Loads into an empty, migrated database through the administrator's connection."""

    def __init__(self, connection: asyncpg.Connection, partitions: int = DEFAULT_PARTITIONS):
        self._connection = connection
        self._partitions = partitions
        self._random = Random(5)
        self._heads: dict[str, int] = defaultdict(int)
        self._versions: dict[str, int] = {}
        self._sold: dict[str, int] = defaultdict(int)
        self._names: dict[str, str] = {}
        self._end_ms = time.time_ns() // 1_000_000
        self.customers: list[str] = []
        self.products: list[str] = []
        self.orders: list[str] = []

    @property
    def events(self) -> int:
        return sum(self._heads.values())

    async def load_shop(self, customers: int, products: int) -> None:
        """Customers, and products with more stock than any run sells."""
        begin = self._end_ms - _DAYS * 86_400_000
        users: list[Row] = []
        goods: list[Row] = []
        log: list[Row] = []
        for number in range(customers):
            id = self._id(begin + number)
            email = f"customer{number}@example.com"
            users.append((id, f"Customer {number}", email, email, 1, False))
            data = {"id": id, "version": 1, "name": f"Customer {number}", "email": email}
            log.append(self._event("users", "user.created", id, begin + number, data, id))
            self.customers.append(id)
        for number in range(products):
            id, name = self._id(begin + number), " ".join(self._random.sample(_WORDS, 3)).title()
            price = 100 + number % 900
            goods.append((id, name, price, "EUR", _STOCK, False, 1))
            fields = {
                "name": name,
                "description": " ".join(self._random.sample(_WORDS, 5)),
                "price": {"amount": price, "currency": "EUR"},
                "stock": _STOCK,
            }
            data = {"id": id, "version": 1, **fields}
            log.append(self._event("products", "product.added", id, begin + number, data, "shop"))
            self.products.append(id)
            self._versions[id], self._names[id] = 1, name
        async with self._connection.transaction():
            await self._disable_foreign_keys()
            await self._copy(
                "users", users, "id", "name", "email", "email_key", "version", "erased"
            )
            await self._copy(
                *("products", goods, "id", "name", "amount"),
                *("currency", "stock", "retired", "version"),
            )
            await self._copy("log", log, *_LOG)

    async def load_orders(self, count: int, *, lines: int = 3, reserve: bool = True) -> None:
        """Orders of the last 25 days, committed in one transaction.

        Without `reserve` there are no `product.reserved` events.
        """
        step = _DAYS * 86_400_000 / count
        async with self._connection.transaction():
            await self._disable_foreign_keys()
            for first in range(0, count, _CHUNK):
                numbers = range(first, min(count, first + _CHUNK))
                times = [int(self._end_ms - (count - n) * step) for n in numbers]
                await self._load_orders(times, lines, reserve)
            await self._update_products()
        await self._connection.execute("SELECT pg_notify('tandem_log', '')")

    async def _load_orders(self, times: Sequence[int], lines: int, reserve: bool) -> None:
        orders: list[Row] = []
        order_lines: list[Row] = []
        log: list[Row] = []
        for at in times:
            customer = self._random.choice(self.customers)
            id = self._id(at, placement(customer))
            items = [
                (product, self._random.randint(1, 5))
                for product in self._random.sample(self.products, lines)
            ]
            orders.append((id, customer, "placed", False, 1))
            order_lines += [(id, product, quantity) for product, quantity in items]
            log.append(
                self._event(
                    "orders", "order.placed", id, at, self._placed(id, customer, items), customer
                )
            )
            if reserve:
                log += [self._reserved(id, at, *item) for item in items]
            self.orders.append(id)
        await self._copy("orders", orders, "id", "customer_id", "status", "anonymized", "version")
        await self._copy("order_lines", order_lines, "order_id", "product_id", "quantity")
        await self._copy("log", log, *_LOG)

    def _placed(self, id: str, customer: str, items: Sequence[tuple[str, int]]) -> dict[str, Any]:
        lines = [
            {
                "product_id": product,
                "name": self._names[product],
                "quantity": quantity,
                "unit_price": {"amount": 250, "currency": "EUR"},
            }
            for product, quantity in items
        ]
        return {
            "id": id,
            "version": 1,
            "customer_id": customer,
            "customer_name": "A Customer",
            "items": lines,
            "total": {"amount": 250 * sum(q for _, q in items), "currency": "EUR"},
            "shipping_address": "1 Main Street, 12345 Springfield",
        }

    def _reserved(self, order: str, at: int, product: str, quantity: int) -> Row:
        self._versions[product] += 1
        self._sold[product] += quantity
        data = {
            "id": product,
            "version": self._versions[product],
            "order_id": order,
            "quantity": quantity,
            "stock": _STOCK - self._sold[product],
        }
        return self._event("products", "product.reserved", product, at, data, None)

    def _event(
        self, topic: Topic, type: str, id: str, at: int, data: dict[str, Any], actor: str | None
    ) -> Row:
        shard = shard_of(topic, id, self._partitions)
        self._heads[shard] += 1
        time = datetime.fromtimestamp(at / 1000, UTC)
        event_id = new_id(at, self._random.getrandbits(62), self._random.getrandbits(12))
        text = orjson.dumps(data).decode()
        return (shard, self._heads[shard], event_id, type, id, actor, time, None, text)

    def _id(self, at: int, given: int | None = None) -> str:
        at_placement = self._random.getrandbits(12) if given is None else given
        return new_id(at, self._random.getrandbits(62), at_placement)

    async def _disable_foreign_keys(self) -> None:
        """The data is consistent, and checking it row by row is slow."""
        await self._connection.execute("SET LOCAL session_replication_role = replica")

    async def _copy(self, table: str, rows: Sequence[Row], *columns: str) -> None:
        await self._connection.copy_records_to_table(table, records=rows, columns=columns)

    async def _update_products(self) -> None:
        await self._connection.execute(
            "UPDATE products AS p SET version = n.version, stock = n.stock"
            " FROM unnest($1::uuid[], $2::int[], $3::bigint[]) AS n (id, version, stock)"
            " WHERE p.id = n.id",
            self.products,
            [self._versions[id] for id in self.products],
            [_STOCK - self._sold[id] for id in self.products],
        )
