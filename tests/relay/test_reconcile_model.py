"""`reconcile` against every interleaving of its requests with a bounded number of Kafka's faults.

The code under test is the real one. It runs as a coroutine whose requests are served one by one by
a model of the partition. Between two requests the model applies every possible fault: a topic is
recreated, a partition loses its tail, retention deletes records, a late batch of a former owner
arrives. After each reconciliation and its faults, publishing without faults must complete the topic
for a strict consumer. States that were reached before are skipped, so the search is exhaustive.
"""

from collections.abc import Coroutine, Generator, Iterable, Iterator
from functools import cache
from typing import Any, NamedTuple
from uuid import UUID

import pytest
from aiokafka.errors import KafkaError, OffsetOutOfRangeError

from command_service.relay.cursor import NONE, Cursor
from command_service.relay.errors import EmptyFetch
from command_service.relay.lease import FencingToken
from command_service.relay.reconcile import KafkaRecordRef, Reconciled, reconcile
from tests.relay.fakes import FakeLog, event_id

HEAD = 3
EVENT_IDS = ("", *map(event_id, range(1, HEAD + 1)))
TOKEN = FencingToken("orders.7", UUID(int=1), 1)
LATE_BATCHES = ((0,), (1,), (2,), (3,), (1, 2), (2, 3), (1, 2, 3))  # 0: a foreign record
MAX_ROUNDS = 20


class State(NamedTuple):
    """The partition, the cursor, and the remaining faults.

    `records` are pairs of timestamp and position, from offset 0 on; retention deletes those below
    `start`. Timestamps grow with each recreation and each lost tail, and may be equal otherwise.
    """

    records: tuple[tuple[int, int], ...]
    start: int
    cursor: Cursor
    timestamp: int = 0
    recreations: int = 0
    lost_tails: int = 0
    retentions: int = 0
    late_batches: int = 0

    def append(self, positions: Iterable[int]) -> "State":
        records = tuple((self.timestamp, position) for position in positions)
        return self._replace(records=self.records + records)

    def after_fault(self) -> Iterator["State"]:
        if self.late_batches:
            for batch in LATE_BATCHES:
                yield self.append(batch)._replace(late_batches=self.late_batches - 1)
        if self.recreations:
            yield self._replace(records=(), start=0, timestamp=self.timestamp + 1, recreations=0)
        if self.lost_tails and len(self.records) > self.start:
            yield self._replace(
                records=self.records[:-1], timestamp=self.timestamp + 1, lost_tails=0
            )
        # Retention deletes no record that is newer than the last reconciliation.
        if self.retentions and self.start < len(self.records) and not self.records[self.start][0]:
            yield self._replace(start=self.start + 1, retentions=0)

    def respond(self, request: "Request") -> tuple[object, "State"]:
        """The response or the type of the error, and the state after it."""
        match request.arguments:
            case ("start",):
                return self.start, self
            case ("end",):
                return len(self.records), self
            case ("read", first, _):
                if not self.start <= first <= len(self.records):
                    return OffsetOutOfRangeError, self
                if first == len(self.records):
                    return EmptyFetch, self
                return ((reference(first, *self.records[first]),), first + 1), self
            case ("write", cursor):
                return None, self._replace(cursor=cursor)
        raise AssertionError(request.arguments)

    def without_faults(self) -> "State":
        return self._replace(recreations=0, lost_tails=0, retentions=0, late_batches=0)

    def is_complete(self) -> bool:
        position = 0
        for _, record_position in self.records:
            position += record_position == position + 1
        return position == HEAD


def reference(offset: int, timestamp: int, position: int) -> KafkaRecordRef:
    return KafkaRecordRef(offset, timestamp, position, EVENT_IDS[position])


class Request:
    """What the coroutine awaits; the driver sends the response into it."""

    def __init__(self, *arguments: Any) -> None:
        self.arguments = arguments

    def __await__(self) -> Generator["Request", Any, Any]:
        return (yield self)


class Requests:
    """Partition and cursors whose methods are requests to the driver."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor

    async def bounds(self) -> tuple[int, int]:
        return await Request("start"), await Request("end")

    async def read(self, *arguments: Any) -> Any:
        if isinstance(arguments[0], FencingToken):
            return self._cursor
        return await Request("read", *arguments)

    async def write(self, token: FencingToken, cursor: Cursor) -> None:
        await Request("write", cursor)

    async def halt(self, token: FencingToken, reason: str) -> None:
        raise AssertionError(reason)


LOG = FakeLog()
LOG.commit(HEAD)


@cache
def replay(cursor: Cursor, responses: tuple[object, ...]) -> Request | Reconciled | KafkaError:
    """What `reconcile` does after these responses: the next request, its result or its error."""
    requests = Requests(cursor)
    coroutine: Coroutine[Request, object, Reconciled]
    coroutine = reconcile(TOKEN, requests, requests, LOG)
    try:
        request = coroutine.send(None)
        for response in responses:
            if isinstance(response, type):
                request = coroutine.throw(response)
            else:
                request = coroutine.send(response)
        return request
    except StopIteration as stop:
        result: Reconciled = stop.value
        return result
    except KafkaError as error:
        return error
    finally:
        coroutine.close()


def reconcile_without_faults(state: State) -> tuple[Reconciled | KafkaError, State]:
    cursor, responses = state.cursor, tuple[object, ...]()
    while isinstance(step := replay(cursor, responses), Request):
        response, state = state.respond(step)
        responses += (response,)
    return step, state


@cache
def publish_without_faults(state: State, result: Reconciled) -> State:
    """As a shard's loop does, in batches of one event, until a reconciliation finds nothing."""
    for _ in range(MAX_ROUNDS):
        expected = result.end
        sent = range(result.cursor.position + 1, HEAD + 1)
        for position in sent:
            base = len(state.records)
            state = state.append([position])
            if base != expected:
                break
            expected = base + 1
        next_result, state = reconcile_without_faults(state)
        assert isinstance(next_result, Reconciled), "an error without a fault"
        if not sent and next_result.cursor == result.cursor:
            return state
        result = next_result
    raise AssertionError(f"not complete after {MAX_ROUNDS} rounds: {state}")


def find_violation(initial: Iterable[State]) -> str | None:
    """The first final state without completeness, or None after all states were visited."""
    pending: list[tuple[State, Cursor, tuple[object, ...]]] = []
    pending += [(state, state.cursor, ()) for state in initial]
    visited = set()
    while pending:
        node = pending.pop()
        state, cursor, responses = node
        if node in visited:
            continue
        visited.add(node)
        pending += [(faulty, cursor, responses) for faulty in state.after_fault()]
        step = replay(cursor, responses)
        if isinstance(step, Request):
            response, state = state.respond(step)
            pending.append((state, cursor, (*responses, response)))
        elif isinstance(step, KafkaError):
            pending.append((state, state.cursor, ()))
        elif not publish_without_faults(state.without_faults(), step).is_complete():
            return f"{step} and {state} after {responses}"
    return None


def initial_states(bounds: State) -> Iterator[State]:
    """Every prefix of the event log, partly deleted by retention, with every cursor into it."""
    for length in range(HEAD + 1):
        topic = bounds.append(range(1, length + 1))
        for start in range(length + 1):
            yield topic._replace(start=start)
            for position in range(1, length + 1):
                cursor = Cursor(position, position - 1, EVENT_IDS[position], topic.timestamp)
                yield topic._replace(start=start, cursor=cursor)


BOUNDS = {
    "recreation": State((), 0, NONE, recreations=1, late_batches=2),
    "lost-tail": State((), 0, NONE, lost_tails=1, late_batches=2),
    "all": State((), 0, NONE, recreations=1, lost_tails=1, retentions=1, late_batches=1),
}


@pytest.mark.parametrize("bounds", BOUNDS.values(), ids=BOUNDS)
def test_no_interleaving_with_faults_loses_an_event(bounds: State) -> None:
    assert find_violation(initial_states(bounds)) is None
