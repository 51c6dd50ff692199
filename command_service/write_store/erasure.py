"""Removes personal data from the event log, and anonymizes an erased user's orders in steps."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final

import asyncpg

from command_service.domain.orders import Order
from command_service.domain.shop import Shop
from command_service.write_store.log_append import NewEvent, append
from command_service.write_store.state import ORDER_COLUMNS, save
from shared.contracts.events import EVENTS, OrderAnonymized, personal_fields

PERSONAL_FIELDS: Final = sorted({name for e in EVENTS.values() for name in personal_fields(e)})
_ERASE = "SELECT erase($1::uuid[], $2::text[])"
_RECORD = """
INSERT INTO erasures (user_id, actor) SELECT * FROM unnest($1::uuid[], $2::text[])
"""
_NEXT = """
SELECT user_id, actor FROM erasures WHERE NOT finished ORDER BY user_id
LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_FINISH = "UPDATE erasures SET finished = true WHERE user_id = $1"
_ORDERS = f"""
SELECT {ORDER_COLUMNS} FROM orders
WHERE customer_id = $1 AND NOT anonymized ORDER BY orders.id LIMIT $2 FOR UPDATE
"""


async def erase_personal_data(
    connection: asyncpg.Connection, erased: Sequence[tuple[str, str | None]]
) -> None:
    """Set the users' personal fields in the event log to null, and record that orders follow."""
    users, actors = zip(*erased, strict=True)
    await connection.execute(_RECORD, users, actors)
    await connection.execute(_ERASE, users, PERSONAL_FIELDS)


async def anonymize_some_orders(
    connection: asyncpg.Connection,
    *,
    limit: int,
    at: datetime,
    partitions: int,
    new_event_id: Callable[[], str],
) -> bool:
    """Anonymize up to `limit` orders of one erased user; False if no erasure is unfinished.

    One transaction: after a crash in it, the next call starts at the same order.
    """
    async with connection.transaction():
        erasure = await connection.fetchrow(_NEXT)
        if erasure is None:
            return False
        rows = await connection.fetch(_ORDERS, erasure["user_id"], limit)
        if not rows:
            await connection.execute(_FINISH, erasure["user_id"])
            return True
        orders = [Order(**dict(row), lines=()) for row in rows]
        shop = Shop(orders={order.id: order for order in orders})
        events = [OrderAnonymized(id=o.id, version=o.version + 1) for o in orders]
        shop.apply(events)
        await save(connection, shop, set(shop.orders))
        await connection.execute(_ERASE, list(shop.orders), PERSONAL_FIELDS)
        new = [NewEvent(0, e, new_event_id(), erasure["actor"], at, None) for e in events]
        await append(connection, None, new, (), partitions)
    return True
