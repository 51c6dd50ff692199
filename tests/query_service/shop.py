"""An event log in memory, folded into Redis by the projector's own code."""

import itertools
from collections import defaultdict
from datetime import UTC, datetime
from typing import Any, Final

from redis.asyncio import Redis

from projector.fold import fold, park
from projector.redis_store import RedisStore
from projector.store import WriteBatch, decode_state, state_keys
from projector.views.registry import VIEWS_BY_TOPIC
from shared.contracts.events import (
    Event,
    OrderCancelled,
    OrderPlaced,
    OrderShipped,
    PlacedItem,
    ProductAdded,
    UserCreated,
)
from shared.contracts.ids import new_id, placement
from shared.contracts.money import Money
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS, all_shards, shard_of, split_shard
from shared.contracts.tokens import format_token
from shared.contracts.views import Checkpoint, Head, checkpoint_key, head_key

START: Final = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class Shop:
    """Appends events to a log in memory and folds them into Redis. `admin` has all rights."""

    def __init__(self, admin: Redis) -> None:
        self.admin = admin
        self.log: dict[str, list[Record]] = defaultdict(list)
        self._store = RedisStore(admin)
        self._versions: dict[str, int] = defaultdict(int)
        self._numbers = itertools.count(1)

    async def open(self) -> None:
        """Give every shard a checkpoint, as a projector does when it starts."""
        await self.admin.flushall()
        for shard in all_shards(DEFAULT_PARTITIONS):
            await self.set_checkpoint(shard, 0)

    def new_id(self, placed: int | None = None) -> str:
        number = next(self._numbers)
        at = int(START.timestamp() * 1000) + number
        return new_id(at, number, number * 7 if placed is None else placed)

    async def user(self, name: str = "Ada", email: str = "ada@example.org") -> str:
        id = self.new_id()
        await self.apply(UserCreated(id=id, version=1, name=name, email=email))
        return id

    async def product(
        self,
        name: str = "Chair",
        description: str = "",
        stock: int = 5,
        price: int = 1250,
        placed: int | None = None,
    ) -> str:
        id = self.new_id(placed)
        money = Money(amount=price, currency="EUR")
        await self.apply(
            ProductAdded(
                id=id, version=1, name=name, description=description, price=money, stock=stock
            )
        )
        return id

    async def order(
        self,
        customer: str,
        amount: int = 1250,
        currency: str = "EUR",
        time: str = "2026-03-01T09:30:00.125Z",
    ) -> str:
        id = self.new_id(placement(customer))
        money = Money(amount=amount, currency=currency)
        item = PlacedItem(product_id=self.new_id(), name="Chair", quantity=1, unit_price=money)
        placed = OrderPlaced(
            id=id,
            version=1,
            customer_id=customer,
            customer_name="Ada",
            items=[item],
            total=money,
            shipping_address="1 Main Street",
        )
        await self.apply(placed, time=time, actor=customer)
        return id

    async def ship(self, order: str) -> None:
        await self.apply(
            OrderShipped(id=order, version=self.next(order), carrier="DHL", tracking_number="1")
        )

    async def cancel(self, order: str) -> None:
        await self.apply(OrderCancelled(id=order, version=self.next(order), reason="late"))

    def next(self, id: str) -> int:
        """The aggregate's version after its next event."""
        return self._versions[id] + 1

    def record(
        self, event: Event, time: str = "2026-03-01T09:30:00.125Z", actor: str | None = None
    ) -> Record:
        """Append an event to the log, without folding it."""
        shard = shard_of(event.topic, event.id, DEFAULT_PARTITIONS)
        self._versions[event.id] = event.version
        record = Record(
            shard=shard,
            position=len(self.log[shard]) + 1,
            event_id=self.new_id(),
            type=event.type,
            subject=event.id,
            actor=actor,
            time=time,
            traceparent=None,
            data=event.model_dump_json().encode(),
        )
        self.log[shard].append(record)
        return record

    async def apply(self, event: Event, **fields: Any) -> str:
        """Append an event to the log and fold it into the views. Returns its token."""
        return await self.fold(self.record(event, **fields))

    async def fold(self, record: Record) -> str:
        """Fold a record into the views. Returns its token."""
        stored, writes = await self._fold(record, parked=False)
        assert await self._store.write(record.shard, stored, writes)
        return token(record)

    async def park(self, record: Record) -> str:
        stored, writes = await self._fold(record, parked=True)
        assert await self._store.write(record.shard, stored, writes)
        return token(record)

    async def _fold(self, record: Record, *, parked: bool) -> tuple[bytes, WriteBatch]:
        views = VIEWS_BY_TOPIC[split_shard(record.shard)[0]]
        keys = state_keys(views, record.shard, [record])
        state = decode_state(views, [record], *await self._store.load(record.shard, keys))
        if parked:
            return state.stored, park(views, state, record, record.position, ValueError())
        return state.stored, fold(views, state, [record], record.position)

    async def set_checkpoint(self, shard: str, position: int, target: int = 0) -> None:
        checkpoint = Checkpoint(position, position - 1, "", target)
        await self.admin.set(checkpoint_key(shard), checkpoint.encode())

    async def set_head(self, shard: str, head: Head) -> None:
        await self.admin.set(head_key(shard), head.encode())


def token(record: Record) -> str:
    return format_token({record.shard: record.position})
