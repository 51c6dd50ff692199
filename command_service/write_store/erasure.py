"""Erases the personal data of erased users in the event log, and anonymizes their orders.

Both proceed in transactions of limited size, outside the commands' batches: a user with many events
delays no other command.
"""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import cache
from typing import Final

import asyncpg

from command_service.domain.orders import Order
from command_service.domain.shop import Shop
from command_service.write_store.log_append import NewEvent, append
from command_service.write_store.state import ORDER_COLUMNS, save
from shared.contracts.events import EVENTS, Event, OrderAnonymized, personal_fields

PERSONAL_FIELDS: Final = sorted({name for e in EVENTS.values() for name in personal_fields(e)})
MAX_EVENTS_PER_STEP: Final = 1000
MAX_ORDERS_PER_STEP: Final = 300
_RECORD = """
INSERT INTO erasures (user_id, actor) SELECT * FROM unnest($1::uuid[], $2::text[])
"""
_NEXT = """
SELECT user_id, actor, erased_through FROM erasures WHERE NOT finished
ORDER BY stepped_at LIMIT 1 FOR UPDATE SKIP LOCKED
"""
_ERASE_EVENTS = "SELECT erase_events($1, $2, $3, $4)"
_ERASE_ORDERS = "SELECT erase($1::uuid[], $2::text[])"
_ORDERS = f"""
SELECT {ORDER_COLUMNS} FROM orders
WHERE customer_id = $1 AND NOT anonymized ORDER BY orders.id LIMIT $2 FOR UPDATE SKIP LOCKED
"""
_ORDERS_REMAIN = "SELECT EXISTS (SELECT FROM orders WHERE customer_id = $1 AND NOT anonymized)"
_END_STEP = """
UPDATE erasures SET erased_through = $2, finished = $3, stepped_at = clock_timestamp()
WHERE user_id = $1
"""


async def record_erasures(
    connection: asyncpg.Connection, erased: Sequence[tuple[str, str | None]]
) -> None:
    """Record the users, with the actors of their erasure, for the steps that follow."""
    users, actors = zip(*erased, strict=True)
    await connection.execute(_RECORD, users, actors)


def redact(event: Event) -> Event:
    """The event with null in its personal fields."""
    return event.model_copy(update=_nulls(type(event)))


@cache
def _nulls(event: type[Event]) -> dict[str, None]:
    return dict.fromkeys(personal_fields(event))


async def erase_step(
    connection: asyncpg.Connection,
    *,
    at: datetime,
    partitions: int,
    new_event_id: Callable[[], str],
) -> bool:
    """Continue the erasure that has waited longest; False if there is nothing to do now.

    One transaction: after a crash in it, the next call starts at the same event or order.
    """
    async with connection.transaction():
        erasure = await connection.fetchrow(_NEXT)
        if erasure is None:
            return False
        user, through = erasure["user_id"], erasure["erased_through"]
        last = await connection.fetchval(
            _ERASE_EVENTS, user, through, MAX_EVENTS_PER_STEP, PERSONAL_FIELDS
        )
        if last is not None:
            await connection.execute(_END_STEP, user, last, False)
            return True
        rows = await connection.fetch(_ORDERS, user, MAX_ORDERS_PER_STEP)
        orders = [Order(**dict(row), lines=()) for row in rows]
        await _anonymize(connection, orders, erasure["actor"], at, partitions, new_event_id)
        remain = bool(rows) or await connection.fetchval(_ORDERS_REMAIN, user)
        await connection.execute(_END_STEP, user, through, not remain)
    return bool(rows) or not remain


async def _anonymize(
    connection: asyncpg.Connection,
    orders: Sequence[Order],
    actor: str | None,
    at: datetime,
    partitions: int,
    new_event_id: Callable[[], str],
) -> None:
    if not orders:
        return
    shop = Shop(orders={order.id: order for order in orders})
    events = [OrderAnonymized(id=o.id, version=o.version + 1) for o in orders]
    shop.apply(events)
    await save(connection, shop, set(shop.orders))
    await connection.execute(_ERASE_ORDERS, list(shop.orders), PERSONAL_FIELDS)
    new = [NewEvent(0, event, new_event_id(), actor, at, None) for event in events]
    await append(connection, None, new, (), partitions)
