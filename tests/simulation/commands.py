"""Clients that send commands to two command services with one simulated PostgreSQL.

The code of the services is the real one: Executor, Transactions and decide_batch.
"""

import asyncio
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from random import Random
from typing import Any, Final, NamedTuple, cast

import orjson
from prometheus_client import CollectorRegistry

from command_service.commands import (
    erase_user,
    place_order,
    restock_product,
    update_product_price,
    update_user_email,
    update_user_name,
)
from command_service.commands.command import AnyCommand, CommandMessage, Context
from command_service.commands.fields import Price
from command_service.exceptions import Overloaded, Unavailable
from command_service.executor import Executor
from command_service.metrics import Metrics
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.pool import Pool as PostgresPool
from command_service.write_store.results import KEY_IN_USE, Accepted, Rejected, Result
from command_service.write_store.transactions import Transactions
from shared.contracts.events import EVENTS, UserErased, personal_fields
from shared.contracts.ids import new_id, placement
from shared.contracts.shards import shard_of
from shared.contracts.tokens import parse_token
from tests.simulation.faults import Faults, Network
from tests.simulation.loop import Process, SimulatedLoop
from tests.simulation.postgres import LOCK_TIMEOUT_S, Key, LogRow, Pool, Row, Server, Session

PARTITIONS: Final = 4
CLIENTS: Final = 10
MAX_ATTEMPTS: Final = 4
DEADLINE_PRECISION_S: Final = 0.15
MAX_DELAY_S: Final = 0.8
"""Of a command that needs no locked row, besides the lock timeouts."""
USERS: Final = [new_id(1, n, n) for n in range(3)]
PRODUCTS: Final = [new_id(2, n, n) for n in range(3)]
_METRICS: Final = Metrics(CollectorRegistry())
_NOW: Final = datetime(2026, 3, 1, tzinfo=UTC)


class Profile(NamedTuple):
    """Which faults the schedules have, and how probable they are."""

    p_network: float
    p_slow: float
    p_kill: float
    p_lock: float


LOCKS: Final = Profile(0, 0, 0, 0.12)
CONNECTIONS: Final = Profile(0.02, 0.05, 0.1, 0.03)


class Request(NamedTuple):
    """A command of one client, who is its only caller."""

    caller: str
    command: AnyCommand
    message: CommandMessage
    id: str
    key: str | None
    """The idempotency key. Without one, the command is sent once."""

    def needs(self) -> set[Key]:
        required = self.command.required_state(self.message, self.context())
        return {("users", id) for id in required.users} | {
            ("products", id) for id in required.products
        }

    def context(self) -> Context:
        return Context(self.id, self.caller, True, _NOW)


class Service:
    """One process of the command service."""

    def __init__(self, world: "Commands") -> None:
        self._loop = world.loop
        self._pool = Pool(world.server, world.network, world.profile.p_network)
        pool = cast(PostgresPool, self._pool)
        transactions = Transactions(pool, PARTITIONS, world.new_event_id, lambda _shards: None)
        self._executor = Executor(
            transactions.run,
            _METRICS,
            max_concurrent_batches=2,
            max_batch_size=4,
            max_queue_depth=100,
        )
        self._process = Process(world.loop, self._run())

    async def _run(self) -> None:
        self._executor.start()

    async def execute(self, request: Request, timeout_s: float) -> Result | None:
        """The result; None if it is unknown. Raises AssertionError if it is too late."""
        deadline = self._loop.time() + timeout_s
        pending = PendingCommand(
            request.command, request.message, request.context(), request.key, b"hash", None,
            deadline, self._loop.create_future(),
        )  # fmt: skip
        task = self._process.start(self._executor.execute(pending))
        either: set[asyncio.Future[Any]] = {task, self._process.killed}
        await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            return None
        late_s = self._loop.time() - deadline
        assert late_s < DEADLINE_PRECISION_S, f"{request.caller} has its result {late_s} s late"
        try:
            return task.result()
        except (Unavailable, Overloaded):
            return None

    def kill(self) -> None:
        self._process.kill()
        self._pool.terminate()


class Commands:
    """The servers, the processes, and the faults of one schedule."""

    def __init__(self, loop: SimulatedLoop, faults: Faults, seed: int, profile: Profile) -> None:
        self.loop, self.faults, self.profile = loop, faults, profile
        self._random = Random(seed + 1)
        self.network = Network(loop, faults, seed + 2, p_slow=profile.p_slow)
        self.server = Server(loop)
        self._add_aggregates()
        self._event_count = 0
        self._services = [Service(self), Service(self)]
        self._locked_until: dict[Key, float] = {}
        self._clients: list[asyncio.Task[None]] = []
        self._results: list[tuple[Request, Result]] = []

    def new_event_id(self) -> str:
        self._event_count += 1
        return new_id(3, self._event_count, 0)

    async def run(self) -> None:
        for number in range(CLIENTS):
            if self.faults.happens("client", 0.9):
                self._clients.append(self.loop.create_task(self._send(self._draw(f"c{number}"))))
            if self._random.random() < 0.3:
                await asyncio.sleep(self._random.choice((0.001, 0.01, 0.5)))
            if self.faults.happens("kill", self.profile.p_kill):
                self._kill()
            if self.faults.happens("lock", self.profile.p_lock):
                self.loop.create_task(self._hold_lock())

    async def settle(self) -> str | None:
        done = await asyncio.gather(*self._clients, return_exceptions=True)
        for error in done:
            if isinstance(error, AssertionError):
                return str(error)
            if error is not None:
                raise error
        return next(self._violations(), None)

    def _draw(self, caller: str) -> Request:
        key = "key" if self._random.random() < 0.7 else None
        return Request(caller, *self._draw_command(caller), key)

    def _draw_command(self, caller: str) -> tuple[AnyCommand, CommandMessage, str]:
        """A command, its message, its target. Only prices and emails are not the caller's own."""
        draw, number = self._random, int(caller[1:]) + 1
        user, product = draw.choice(USERS), draw.choice(PRODUCTS)
        match draw.randrange(8):
            case 0 | 1:
                name = update_user_name.UpdateUserName(name=f"name of {caller}")
                return update_user_name.COMMAND, name, user
            case 2:
                email = update_user_email.UpdateUserEmail(email=f"{draw.choice('ab')}@example.org")
                return update_user_email.COMMAND, email, user
            case 3:
                return erase_user.COMMAND, erase_user.EraseUser(), user
            case 4:
                quantity = restock_product.RestockProduct(quantity=number)
                return restock_product.COMMAND, quantity, product
            case 5:
                line = place_order.OrderLine(product_id=product, quantity=1)
                order = place_order.PlaceOrder(
                    customer_id=user, items=[line], shipping_address=f"address of {caller}"
                )
                return place_order.COMMAND, order, new_id(4, number, placement(user))
            case _:
                amount = draw.choice((1, 2))
                price = update_product_price.UpdateProductPrice(
                    price=Price(amount=amount, currency="EUR")
                )
                return update_product_price.COMMAND, price, product

    async def _send(self, request: Request) -> None:
        """Retried with the same idempotency key, possibly by the other service."""
        for _ in range(MAX_ATTEMPTS if request.key else 1):
            started = self.loop.time()
            service = self._random.choice(self._services)
            result = await service.execute(request, self._random.choice((1.0, 5.0, 9.0)))
            self._check_delay(request, started)
            if isinstance(result, Accepted) or (result and result.reason != KEY_IN_USE):
                self._results.append((request, result))
                return
            await asyncio.sleep(0.1)

    def _check_delay(self, request: Request, started: float) -> None:
        """Each locked row delays the commands that do not need it by one lock timeout.

        By one more, if their batch waits for another batch first, which waits for the lock.
        """
        locked = {key for key, until in self._locked_until.items() if until >= started}
        delay_s = self.loop.time() - started
        if self.profile.p_network == 0 and locked.isdisjoint(request.needs()):
            timeouts = len(locked) + 1 if locked else 0
            limit_s = LOCK_TIMEOUT_S * timeouts + MAX_DELAY_S
            assert delay_s < limit_s, f"{request.caller} took {delay_s} s"

    async def _hold_lock(self) -> None:
        """Another client of PostgreSQL locks a row."""
        keys: list[Key] = [("users", id) for id in USERS]
        keys += [("products", id) for id in PRODUCTS]
        key = self._random.choice(keys)
        session = Session(self.server)
        while not self.server.try_lock(session, [key]):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
        self._locked_until[key] = self.loop.time() + 8 * self._random.random()
        await asyncio.sleep(self._locked_until[key] - self.loop.time())
        session.end()

    def _kill(self) -> None:
        index = self._random.randrange(2)
        self._services[index].kill()
        self._services[index] = Service(self)

    def _add_aggregates(self) -> None:
        for number, id in enumerate(USERS):
            email = f"user{number}@example.org"
            user = Row(id=id, name="Ada", email=email, version=1, erased=False)
            self.server.rows["users"][id] = user
            self._add_event("user.created", id, {"name": "Ada", "email": email})
        for id in PRODUCTS:
            product = Row(
                id=id, name="Tea", amount=1, currency="EUR", stock=3, retired=False, version=1
            )
            self.server.rows["products"][id] = product
            self._add_event("product.added", id, {})

    def _add_event(self, type: str, id: str, fields: dict[str, object]) -> None:
        data = orjson.dumps({"id": id, "version": 1, **fields}).decode()
        shard = shard_of(EVENTS[type].topic, id, PARTITIONS)
        self.server.log.setdefault(shard, []).append(LogRow(None, type, id, None, data))

    def _violations(self) -> Iterator[str]:
        yield from self._version_violations()
        yield from self._result_violations()
        yield from self._erasure_violations()

    def _version_violations(self) -> Iterator[str]:
        """The versions of an aggregate are 1, 2, 3, …, and the last one is stored."""
        versions: dict[str, int] = {}
        for shard, rows in self.server.log.items():
            for row in rows:
                version = orjson.loads(row.data)["version"]
                if version != versions.get(row.subject, 0) + 1:
                    yield f"{shard} has version {version} of {row.subject} after another one"
                versions[row.subject] = version
        for id, stored in (
            *self.server.rows["users"].items(),
            *self.server.rows["products"].items(),
        ):
            if stored["version"] != versions[id]:
                yield f"{id} has version {stored['version']}, its event {versions[id]}"

    def _result_violations(self) -> Iterator[str]:
        """Each accepted command has its events once, and its token covers its version."""
        counts = Counter(row.actor for rows in self.server.log.values() for row in rows)
        for caller, count in counts.items():
            if caller is not None and count > 1:
                yield f"the command of {caller} was executed {count} times"
        for request, result in self._results:
            if isinstance(result, Rejected):
                if counts[request.caller]:
                    yield f"the command of {request.caller} was rejected and executed"
                continue
            may_change_nothing = request.command.name in ("UpdateProductPrice", "UpdateUserEmail")
            if not (counts[request.caller] or may_change_nothing):
                yield f"the accepted command of {request.caller} was not executed"
            if (covered := self._covered_version(request, result)) < result.version:
                yield f"{request.caller}: {result.token} covers {covered}, not {result.version}"

    def _covered_version(self, request: Request, result: Accepted) -> int:
        shard = shard_of(request.command.topic, result.id, PARTITIONS)
        position = parse_token(result.token, PARTITIONS).get(shard, 0)
        rows = self.server.log.get(shard, [])[:position]
        versions = [orjson.loads(row.data)["version"] for row in rows if row.subject == result.id]
        return max(versions, default=0)

    def _erasure_violations(self) -> Iterator[str]:
        """No event of the transaction that erased a user has personal data of that user."""
        for rows in self.server.log.values():
            erased = {(row.subject, row.batch) for row in rows if row.type == UserErased.type}
            for row in rows:
                if (row.subject, row.batch) in erased:
                    data = orjson.loads(row.data)
                    if any(data[name] is not None for name in personal_fields(EVENTS[row.type])):
                        yield f"{row.type} has personal data of the erased user {row.subject}"
