"""PostgreSQL as the command service uses it: rows, locks, the event log, stored results.

It executes the statements of `command_service.write_store` that place orders and change users and
products. tests/command_service runs the same statements on a real server.
"""

import asyncio
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, Final, NamedTuple
from uuid import UUID

import asyncpg

from command_service.domain.users import email_key
from command_service.write_store import (
    erasure,
    log_append,
    reservations,
    results,
    state,
    transactions,
)
from tests.simulation.faults import Network
from tests.simulation.loop import SimulatedLoop

LOCK_TIMEOUT_S: Final = 2.0
_PRODUCT_COLUMNS: Final = "id name amount currency stock retired version".split()
_RESULT_COLUMNS: Final = "caller key request id version token reason detail".split()
Key = tuple[str, object]
"""Of a lock: a table and an id."""


class Row(dict[str, Any]):
    """As asyncpg's Record: iteration yields the values."""

    def __iter__(self) -> Iterator[Any]:
        return iter(self.values())


class LogRow(NamedTuple):
    batch: UUID | None
    type: str
    subject: str
    actor: str | None
    data: str


class Session:
    """A transaction: its locks, and the effects of its COMMIT."""

    def __init__(self, server: "Server") -> None:
        self._server = server
        self.locked: set[Key] = set()
        self.effects: list[Callable[[], object]] = []
        self.ended = False

    def commit(self) -> None:
        if self.ended:
            raise ConnectionError("the session has ended")
        for effect in self.effects:
            effect()
        self.end()

    def end(self) -> None:
        """Roll back, unless the effects were committed."""
        self.ended = True
        self._server.release(self)


class Server:
    """The committed state of all sessions' transactions."""

    def __init__(self, loop: SimulatedLoop) -> None:
        self._loop = loop
        self.rows: dict[str, dict[str, Row]] = {"users": {}, "products": {}, "orders": {}}
        self.log: dict[str, list[LogRow]] = {}
        self._results: dict[tuple[str, str], Row] = {}
        self._abandoned: dict[UUID, bool] = {}
        self._locks: dict[Key, Session] = {}
        self._released = asyncio.Event()
        self._handlers = self._all_handlers()

    def execute(self, session: Session, statement: str, values: Sequence[Any]) -> Any:
        """The rows, or a coroutine that returns them after it has waited for locks."""
        if session.ended:
            raise ConnectionError("the session has ended")
        waits_for, handler = self._statement(statement)
        keys = waits_for(values)
        if all(self.is_free(key, session) for key in keys):
            self._lock(session, keys)
            return handler(session, values)
        return self._execute_with_locks(session, keys, handler, values)

    async def _execute_with_locks(
        self, session: Session, keys: Sequence[Key], handler: "Handler", values: Sequence[Any]
    ) -> Any:
        for key in keys:
            deadline = self._loop.time() + LOCK_TIMEOUT_S
            while not self.is_free(key, session):
                await self._wait_for_release(deadline)
                if session.ended:
                    raise ConnectionError("the session has ended")
            self._lock(session, [key])
        return handler(session, values)

    async def _wait_for_release(self, deadline: float) -> None:
        try:
            async with asyncio.timeout_at(deadline):
                await self._released.wait()
        except TimeoutError:
            raise asyncpg.LockNotAvailableError from None

    def is_free(self, key: Key, session: Session) -> bool:
        return self._locks.get(key, session) is session

    def try_lock(self, session: Session, keys: Iterable[Key]) -> list[Key]:
        free = [key for key in keys if self.is_free(key, session)]
        self._lock(session, free)
        return free

    def _lock(self, session: Session, keys: Iterable[Key]) -> None:
        for key in keys:
            self._locks[key] = session
            session.locked.add(key)

    def release(self, session: Session) -> None:
        for key in session.locked:
            del self._locks[key]
        session.locked.clear()
        self._released.set()
        self._released = asyncio.Event()

    def _statement(self, statement: str) -> "tuple[Callable[[Sequence[Any]], list[Key]], Handler]":
        """The locks that it waits for, and what it does then."""
        handler = self._handlers.get(statement)
        if handler is None:
            table = statement.split()[3]
            return _no_locks, lambda _, values: self._existing(table, values[0])
        return handler

    def _all_handlers(self) -> "dict[str, tuple[Callable[[Sequence[Any]], list[Key]], Handler]]":
        skip = " SKIP LOCKED"
        return {
            "ROLLBACK": (_no_locks, lambda session, _: session.end()),
            reservations._LOCK: (_no_locks, self._reserve),
            results._LOAD: (_no_locks, self._load_results),
            state._USERS: (self._rows_of("users"), self._select("users")),
            state._PRODUCTS: (self._rows_of("products"), self._select("products")),
            state._USERS + skip: (_no_locks, self._select_free("users")),
            state._PRODUCTS + skip: (_no_locks, self._select_free("products")),
            state._EMAILS: (_no_locks, self._select_emails),
            state._TRY_LOCK_SHARDS: (_no_locks, self._try_lock_shards),
            state._SAVE: (_no_locks, self._save),
            erasure._RECORD: (_no_locks, lambda *_: []),
            log_append._APPEND: (_append_locks, self._append),
            log_append._HEADS: (_no_locks, self._heads),
            transactions._ABANDON: (lambda values: [("batch", values[0])], self._abandon),
            transactions._WAS_COMMITTED: (_no_locks, self._was_committed),
        }

    def _rows_of(self, table: str) -> Callable[[Sequence[Any]], list[Key]]:
        return lambda values: [(table, id) for id in values[0] if id in self.rows[table]]

    def _select(self, table: str) -> "Handler":
        rows = self.rows[table]
        return lambda _, values: [rows[id] for id in values[0] if id in rows]

    def _select_free(self, table: str) -> "Handler":
        def select(session: Session, values: Sequence[Any]) -> list[Row]:
            free = self.try_lock(session, self._rows_of(table)(values))
            return [self.rows[table][str(id)] for _, id in free]

        return select

    def _existing(self, table: str, ids: Collection[str]) -> list[Row]:
        return [Row(id=id) for id in sorted(ids) if id in self.rows[table]]

    def _reserve(self, session: Session, values: Sequence[Any]) -> list[Row]:
        locked = set(self.try_lock(session, [("advisory", number) for number in values[0]]))
        return [Row(number=n, locked=("advisory", n) in locked) for n in values[0]]

    def _load_results(self, _: Session, values: Sequence[Any]) -> list[Row]:
        keys = zip(*values, strict=True)
        return [self._results[key] for key in keys if key in self._results]

    def _select_emails(self, _: Session, values: Sequence[Any]) -> list[Row]:
        users = self.rows["users"].values()
        keys = {email_key(user["email"]): user["id"] for user in users if user["email"]}
        return [Row(email_key=key, id=keys[key]) for key in values[0] if key in keys]

    def _try_lock_shards(self, session: Session, values: Sequence[Any]) -> list[Row]:
        free = self.try_lock(session, [("shard", name) for name in values[0]])
        return [Row(name=name) for _, name in free]

    def _save(self, session: Session, values: Sequence[Any]) -> None:
        users, products = self.rows["users"], self.rows["products"]
        for id, name, email, _, version, erased in zip(*values[:6], strict=True):
            user = Row(id=id, name=name, email=email, version=version, erased=erased)
            session.effects.append(partial(users.update, {id: user}))
        for row in zip(*values[6:13], strict=True):
            product = Row(zip(_PRODUCT_COLUMNS, row, strict=True))
            session.effects.append(partial(products.update, {product["id"]: product}))

    def _append(self, session: Session, values: Sequence[Any]) -> list[tuple[int, str, int]]:
        batch = values[18]
        positions: list[tuple[int, str, int]] = []
        heads: dict[str, int] = {}
        tokens: dict[int, dict[str, int]] = {}
        for ordinal, event in enumerate(zip(*values[:9], strict=True), 1):
            shard, _, type, subject, actor, _, _, data, command = event
            rows = self.log.setdefault(shard, [])
            heads[shard] = heads.get(shard, len(rows)) + 1
            positions.append((ordinal, shard, heads[shard]))
            tokens.setdefault(command, {})[shard] = heads[shard]
            row = LogRow(batch, type, subject, actor, data)
            session.effects.append(partial(rows.append, row))
        for command, *result in zip(*values[9:18], strict=True):
            stored = Row(zip(_RESULT_COLUMNS, result, strict=True))
            parts = sorted(tokens.get(command, {}).items())
            token = ";".join(f"{shard}:{position}" for shard, position in parts)
            stored["token"] = token or stored["token"]
            key = stored["caller"], stored["key"]
            session.effects.append(partial(self._results.update, {key: stored}))
        session.effects.append(partial(self._abandoned.update, {batch: False}))
        return positions

    def _heads(self, _: Session, values: Sequence[Any]) -> list[Row]:
        return [Row(name=name, head=len(self.log.get(name, ()))) for name in values[0]]

    def _abandon(self, session: Session, values: Sequence[Any]) -> None:
        self._abandoned.setdefault(values[0], True)
        session.end()

    def _was_committed(self, session: Session, values: Sequence[Any]) -> bool:
        session.end()
        return not self._abandoned[values[0]]


Handler = Callable[[Session, Sequence[Any]], Any]


def _no_locks(_values: Sequence[Any]) -> list[Key]:
    return []


def _append_locks(values: Sequence[Any]) -> list[Key]:
    return [("batch", values[18]), *(("shard", name) for name in sorted(set(values[0])))]


class Connection:
    """As asyncpg's connection, transaction and pool, for one service."""

    def __init__(self, server: Server, network: Network, p_fault: float) -> None:
        self._server, self._network, self._p_fault = server, network, p_fault
        self._session = Session(server)

    def transaction(self, isolation: str) -> "Connection":
        return self

    async def start(self) -> None:
        return

    async def commit(self) -> None:
        await self._send("COMMIT", self._session.commit)

    async def fetch(self, statement: str, *values: Any) -> Any:
        return await self._send("statement", self._effect(statement, values))

    async def execute(self, statement: str, *values: Any, **_timeout: float) -> Any:
        return await self._send("statement", self._effect(statement, values))

    def terminate(self) -> None:
        """The server may notice it later, and hold the locks until then."""
        if not self._session.ended:
            self._network.later(self._session.end)

    def _effect(self, statement: str, values: Sequence[Any]) -> Callable[[], Any]:
        return lambda: self._server.execute(self._session, statement, values)

    async def _send(self, name: str, effect: Callable[[], Any]) -> Any:
        try:
            error = ConnectionError(f"simulated: {name}")
            p_fault = 3 * self._p_fault if name == "COMMIT" else self._p_fault
            return await self._network.send(name, effect, error, p_fault)
        except ConnectionError:
            self.terminate()
            raise


class Pool:
    """The connections of one service."""

    def __init__(self, server: Server, network: Network, p_fault: float) -> None:
        self._new = partial(Connection, server, network, p_fault)
        self._acquired: list[Connection] = []

    async def acquire(self) -> Connection:
        connection = self._new()
        self._acquired.append(connection)
        return connection

    async def release(self, connection: Connection, **_timeout: float) -> None:
        self._acquired.remove(connection)

    async def execute(self, statement: str, *values: Any) -> Any:
        return await self._new().execute(statement, *values)

    async def fetchval(self, statement: str, *values: Any) -> Any:
        return await self._new().fetch(statement, *values)

    def terminate(self) -> None:
        for connection in self._acquired:
            connection.terminate()
