"""Loads the aggregates that a batch requires, and saves those that it changed."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import asyncpg

from command_service.commands.command import RequiredState
from command_service.domain.orders import Line, Order
from command_service.domain.products import Product
from command_service.domain.shop import Shop
from command_service.domain.users import User, email_key
from command_service.processes.registry import removed_deadlines, set_deadlines
from command_service.write_store.columns import columns
from shared.contracts.money import Money

_LINES = """
SELECT order_id::text, product_id::text, quantity FROM order_lines
WHERE order_id = ANY ($1::uuid[]) ORDER BY order_lines.order_id, order_lines.product_id
"""
_EMAILS = "SELECT email_key, id::text FROM users WHERE email_key = ANY ($1::text[])"
_USERS = """
SELECT id::text, name, email, version, erased FROM users
WHERE id = ANY ($1::uuid[]) ORDER BY users.id FOR UPDATE
"""
_PRODUCTS = """
SELECT id::text, name, amount, currency, stock, retired, version FROM products
WHERE id = ANY ($1::uuid[]) ORDER BY products.id FOR UPDATE
"""
ORDER_COLUMNS = """id::text, customer_id::text, status, anonymized, version,
       payment, payment_due_at, payment_reference, refund_reference"""
_ORDERS = f"""
SELECT {ORDER_COLUMNS} FROM orders
WHERE id = ANY ($1::uuid[]) ORDER BY orders.id FOR UPDATE
"""
_SKIP_LOCKED = " SKIP LOCKED"
_TRY_LOCK_SHARDS = "SELECT name FROM try_lock_shards($1::text[]) AS s (name)"
_SAVE = """
WITH saved_users AS (
    INSERT INTO users (id, name, email, email_key, version, erased)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::int[], $6::bool[])
    ON CONFLICT (id) DO UPDATE SET name = excluded.name, email = excluded.email,
        email_key = excluded.email_key, version = excluded.version, erased = excluded.erased
), saved_products AS (
    INSERT INTO products (id, name, amount, currency, stock, retired, version)
    SELECT * FROM unnest(
        $7::uuid[], $8::text[], $9::bigint[], $10::text[], $11::bigint[], $12::bool[], $13::int[]
    )
    ON CONFLICT (id) DO UPDATE SET amount = excluded.amount, currency = excluded.currency,
        stock = excluded.stock, retired = excluded.retired, version = excluded.version
), saved_orders AS (
    INSERT INTO orders (
        id, customer_id, status, anonymized, version,
        payment, payment_due_at, payment_reference, refund_reference
    )
    SELECT * FROM unnest(
        $14::uuid[], $15::uuid[], $16::text[], $17::bool[], $18::int[],
        $19::text[], $20::timestamptz[], $21::text[], $22::text[]
    )
    ON CONFLICT (id) DO UPDATE SET status = excluded.status, anonymized = excluded.anonymized,
        version = excluded.version, payment = excluded.payment,
        payment_due_at = excluded.payment_due_at,
        payment_reference = excluded.payment_reference,
        refund_reference = excluded.refund_reference
), set_deadlines AS (
    INSERT INTO deadlines (process, subject, version, due_at)
    SELECT * FROM unnest($23::text[], $24::uuid[], $25::int[], $26::timestamptz[])
    ON CONFLICT (process, subject) DO UPDATE SET version = excluded.version,
        due_at = excluded.due_at, claimed_until = excluded.claimed_until
), removed_deadlines AS (
    DELETE FROM deadlines AS d USING unnest($27::text[], $28::uuid[]) AS r (process, subject)
    WHERE d.process = r.process AND d.subject = r.subject
)
INSERT INTO order_lines (order_id, product_id, quantity)
SELECT * FROM unnest($29::uuid[], $30::uuid[], $31::int[])
"""


async def load(
    connection: asyncpg.Connection, required: Sequence[RequiredState], *, skip_locked: bool
) -> tuple[Shop, set[int]]:
    """Return the required part of the shop, locked until the transaction ends.

    The lines of orders, which never change, are read first, without a lock. Rows are then locked
    in one order over all tables, so that two batches cannot deadlock. With `skip_locked`, rows that
    other transactions have locked are left out; the indexes of the requirements that need one of
    them are returned as well.
    """
    lines = await _lines(connection, _distinct(r.orders_with_products for r in required))
    of_lines = [tuple(line.product_id for line in of_order) for of_order in lines.values()]
    users = _distinct(r.users for r in required)
    products = _distinct([*(r.products for r in required), *of_lines])
    orders = _distinct(r.orders for r in required)
    emails = _distinct(r.emails for r in required)
    shop = Shop()
    lock = _SKIP_LOCKED if skip_locked else ""
    for row in await connection.fetch(_USERS + lock, users) if users else ():
        shop.users[row["id"]] = User(**dict(row))
    for row in await connection.fetch(_PRODUCTS + lock, products) if products else ():
        shop.products[row["id"]] = _product(row)
    for row in await connection.fetch(_ORDERS + lock, orders) if orders else ():
        shop.orders[row["id"]] = Order(**dict(row), lines=lines.get(row["id"], ()))
    for row in await connection.fetch(_EMAILS, emails) if emails else ():
        shop.emails[row["email_key"]] = row["id"]
    if not skip_locked:
        return shop, set()
    skipped = await _existing(connection, "users", set(users) - shop.users.keys())
    skipped |= await _existing(connection, "products", set(products) - shop.products.keys())
    skipped |= await _existing(connection, "orders", set(orders) - shop.orders.keys())
    return shop, _requiring(required, lines, skipped)


async def _existing(connection: asyncpg.Connection, table: str, ids: set[str]) -> set[str]:
    """Which of the rows exist: those that were not returned although they do are locked."""
    if not ids:
        return set()
    rows = await connection.fetch(f"SELECT id::text FROM {table} WHERE id = ANY ($1::uuid[])", ids)
    return {row["id"] for row in rows}


def _requiring(
    required: Sequence[RequiredState], lines: Mapping[str, tuple[Line, ...]], ids: set[str]
) -> set[int]:
    found = set()
    for index, state in enumerate(required):
        of_lines = (
            line.product_id for id in state.orders_with_products for line in lines.get(id, ())
        )
        if not ids.isdisjoint((*state.users, *state.products, *state.orders, *of_lines)):
            found.add(index)
    return found


async def try_lock_shards(connection: asyncpg.Connection, names: set[str]) -> set[str]:
    """Lock those of the shards that are free, and return them."""
    rows = await connection.fetch(_TRY_LOCK_SHARDS, sorted(names))
    return {row["name"] for row in rows}


async def _lines(connection: asyncpg.Connection, orders: list[str]) -> dict[str, tuple[Line, ...]]:
    lines: dict[str, tuple[Line, ...]] = {}
    for row in await connection.fetch(_LINES, orders) if orders else ():
        line = Line(row["product_id"], row["quantity"])
        lines[row["order_id"]] = (*lines.get(row["order_id"], ()), line)
    return lines


def _product(row: asyncpg.Record) -> Product:
    id, name, amount, currency, stock, retired, version = row
    return Product(id, name, Money(amount=amount, currency=currency), stock, retired, version)


def _distinct(groups: Iterable[tuple[str, ...]]) -> list[str]:
    return sorted({id for group in groups for id in group})


async def save(connection: asyncpg.Connection, shop: Shop, changed: set[str]) -> None:
    """Write the last state of each changed aggregate, in one statement."""
    users = [user for id, user in shop.users.items() if id in changed]
    products = [product for id, product in shop.products.items() if id in changed]
    orders = [order for id, order in shop.orders.items() if id in changed]
    lines = [
        (order.id, line.product_id, line.quantity)
        for order in orders
        if order.version == 1
        for line in order.lines
    ]
    await connection.execute(
        _SAVE,
        *columns(6, (_user_row(user) for user in users)),
        *columns(7, (_product_row(product) for product in products)),
        *columns(9, (_order_row(order) for order in orders)),
        *columns(4, set_deadlines(shop, changed)),
        *columns(2, removed_deadlines(shop, changed)),
        *columns(3, lines),
    )


def _user_row(user: User) -> tuple[Any, ...]:
    key = None if user.email is None else email_key(user.email)
    return (user.id, user.name, user.email, key, user.version, user.erased)


def _order_row(order: Order) -> tuple[Any, ...]:
    return (
        *(order.id, order.customer_id, order.status, order.anonymized, order.version),
        *(order.payment, order.payment_due_at, order.payment_reference, order.refund_reference),
    )


def _product_row(product: Product) -> tuple[Any, ...]:
    id, name, price, stock, retired, version = product
    return (id, name, price.amount, price.currency, stock, retired, version)
