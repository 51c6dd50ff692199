"""The topic `orders` as a relay would fill it, with everything that a consumer must handle."""

from collections import Counter, defaultdict
from collections.abc import Sequence

from aiokafka import AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from shared.contracts.events import OrderPlaced, OrderShipped, PlacedItem
from shared.contracts.ids import new_id
from shared.contracts.money import Money
from shared.contracts.records import Record, to_headers
from shared.contracts.shards import split_shard
from tests.support.topics import delete_topics
from tests.support.waiting import until

PARTITIONS = 3
_PRICE = Money(amount=450, currency="EUR")


class OrdersTopic:
    """`log` has all events, in order; each test chooses what to publish."""

    def __init__(self, bootstrap: str) -> None:
        self.bootstrap = bootstrap
        self.log: list[Record] = []
        self._positions: dict[int, int] = defaultdict(int)

    async def recreate(self) -> None:
        """Creates an empty topic, and deletes an existing one first."""
        await delete_topics(self.bootstrap, ["orders"])
        admin = AIOKafkaAdminClient(bootstrap_servers=self.bootstrap)
        await admin.start()
        try:

            async def created() -> bool:
                reply = await admin.create_topics([NewTopic("orders", PARTITIONS, 1)])
                return reply.topic_errors[0][1] in (0, 36)

            await until(created, "the topic is created")
        finally:
            await admin.close()

    def append(self, count: int) -> list[Record]:
        """Appends orders, and some events of a type that consumers do not need."""
        start = len(self.log)
        self.log += [self._record(number) for number in range(start, start + count)]
        return self.log[start:]

    def _record(self, number: int) -> Record:
        partition = number % PARTITIONS
        self._positions[partition] += 1
        id = new_id(1_772_000_000_000 + number, number, partition)
        event: OrderPlaced | OrderShipped
        if number % 5 == 4:
            event = OrderShipped(id=id, version=2, carrier="Post", tracking_number="X1")
        else:
            event = _placed(id, f"product {number % 4}", 1 + number % 3, erased=number % 7 == 0)
        return Record(
            shard=f"orders.{partition}",
            position=self._positions[partition],
            event_id=new_id(1_772_000_000_000 + number, number + 1, partition),
            type=event.type,
            subject=id,
            actor="tester",
            time="2026-03-01T09:30:00.125Z",
            traceparent=None,
            data=event.model_dump_json().encode(),
        )

    async def publish(self, records: Sequence[Record]) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            for record in records:
                await producer.send_and_wait(
                    "orders",
                    record.data,
                    key=record.subject.encode(),
                    partition=split_shard(record.shard)[1],
                    headers=to_headers(record),
                )

    async def publish_foreign_record(self) -> None:
        async with AIOKafkaProducer(bootstrap_servers=self.bootstrap) as producer:
            await producer.send_and_wait("orders", b"not json", partition=0)

    def sold(self) -> dict[str, int]:
        """The view of the complete log."""
        sums: Counter[str] = Counter()
        for record in self.log:
            if record.type == OrderPlaced.type:
                for item in OrderPlaced.model_validate_json(record.data).items:
                    sums[item.product_id] += item.quantity
        return dict(sums)


def _placed(id: str, product: str, quantity: int, *, erased: bool) -> OrderPlaced:
    item = PlacedItem(product_id=product, name="Tea", quantity=quantity, unit_price=_PRICE)
    return OrderPlaced(
        id=id,
        version=1,
        customer_id=id,
        customer_name=None if erased else "Ada",
        items=[item],
        total=Money(amount=450 * quantity, currency="EUR"),
        shipping_address=None if erased else "1 Main Street",
    )
