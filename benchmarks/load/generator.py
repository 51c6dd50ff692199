"""Sends the requests of a job, and measures latencies from the time at which each was due."""

import asyncio
import itertools
import random
import re
import time
from collections import Counter, deque
from typing import Final

from benchmarks.load.connection import Connection
from benchmarks.load.job import Job, LoadResult, ReadAfterWrite
from tests.support.waiting import until

_DRAIN_S: Final = 30.0
_LOCATION: Final = re.compile(rb"location: *(\S+)", re.IGNORECASE)
_TOKEN: Final = re.compile(rb"consistency-token: *(\S+)", re.IGNORECASE)
_HOST: Final = "127.0.0.1"


async def generate(job: Job) -> LoadResult:
    """Runs the job. Failures are counted, not raised."""
    return await _Generator(job).run()


class _Generator:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._requests = itertools.cycle(job.requests)
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []
        self._overdue: deque[float] = deque()
        self._result = LoadResult()
        self._failures: Counter[str] = Counter()
        self._random = random.Random(1)
        self._until = 0.0
        self._next_due = 0.0
        self._in_flight = 0
        self._last = 0.0
        self._done = asyncio.Event()
        self._reads = (
            None
            if job.read_after_write is None
            else _ReadsAfterWrites(job.read_after_write, self._failures)
        )

    async def run(self) -> LoadResult:
        try:
            return await self._run()
        finally:
            for connection in self._connections:
                connection.close()
            if self._reads is not None:
                self._reads.close()

    async def _run(self) -> LoadResult:
        for _ in range(self._job.clients):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._on_response), _HOST, self._job.port
            )
            self._connections.append(connection)
        self._idle = list(self._connections)
        begun, cpu = self._clock(), time.process_time()
        self._until, self._next_due = begun + self._job.seconds, begun
        if self._job.rate is not None:
            self._send_due()
        else:
            while self._idle:
                self._send(self._idle.pop(), begun)
        async with asyncio.timeout(self._job.seconds + _DRAIN_S):
            await self._done.wait()
            if self._reads is not None:
                await self._reads.finish()
        return self._summary(begun, cpu)

    def _summary(self, begun: float, cpu: float) -> LoadResult:
        result, reads = self._result, self._reads
        result.seconds = self._last - begun
        result.cpu_seconds = time.process_time() - cpu
        if reads is not None:
            result.visible = sorted(reads.since_response)
            result.visible_since_due = sorted(reads.since_due)
        result.latencies.sort()
        result.failures = dict(self._failures)
        return result

    def _send(self, connection: Connection, due: float) -> None:
        self._in_flight += 1
        connection.send(next(self._requests), due)

    def _send_due(self) -> None:
        """Sends all requests that are due; those without an idle connection become overdue."""
        assert self._job.rate is not None
        now = self._clock()
        while self._next_due <= now and self._next_due < self._until:
            if self._idle:
                self._send(self._idle.pop(), self._next_due)
            else:
                self._overdue.append(self._next_due)
            self._next_due += self._random.expovariate(self._job.rate)
        if self._next_due < self._until:
            self._loop.call_at(self._next_due, self._send_due)
        else:
            self._end_if_idle()

    def _on_response(self, connection: Connection, response: bytes) -> None:
        now = self._last = self._clock()
        self._in_flight -= 1
        if response[9:10] == b"2":
            self._result.latencies.append(now - connection.due)
            if self._reads is not None:
                self._reads.on_command_response(response, now, connection.due)
        else:
            self._failures[response[9:12].decode() or "no response"] += 1
        if not response:
            self._end_if_idle()
        elif self._job.rate is None and now < self._until:
            self._send(connection, now)
        elif self._overdue:
            self._send(connection, self._overdue.popleft())
        else:
            self._idle.append(connection)
            self._end_if_idle()

    def _end_if_idle(self) -> None:
        over = self._job.rate is None or self._next_due >= self._until
        if over and not self._in_flight:
            self._done.set()


class _ReadsAfterWrites:
    """Reads what some of the commands wrote, with their consistency tokens."""

    def __init__(self, options: ReadAfterWrite, failures: "Counter[str]") -> None:
        self._options = options
        self._failures = failures
        self._loop = asyncio.get_running_loop()
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []
        self._commands: dict[Connection, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self.since_response: list[float] = []
        self.since_due: list[float] = []

    def on_command_response(self, response: bytes, now: float, due: float) -> None:
        self._count += 1
        if self._count % self._options.every:
            return
        head = response.partition(b"\r\n\r\n")[0]
        location, token = _LOCATION.search(head), _TOKEN.search(head)
        assert location is not None
        assert token is not None
        request = (
            b"GET %b HTTP/1.1\r\nHost: bench\r\nAuthorization: %b\r\n"
            b"Consistency-Token: %b\r\nPrefer: wait=20\r\n\r\n"
        ) % (location[1], self._options.authorization, token[1])
        if self._idle:
            self._send(self._idle.pop(), request, now, due)
        else:
            task = self._loop.create_task(self._connect_and_send(request, now, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Returns when no read is in flight."""

        async def idle() -> bool:
            return not (self._tasks or self._commands)

        await until(idle, "all reads with tokens have a response")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def _connect_and_send(self, request: bytes, now: float, due: float) -> None:
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._on_response), _HOST, self._options.port
        )
        self._connections.append(connection)
        self._send(connection, request, now, due)

    def _send(self, connection: Connection, request: bytes, now: float, due: float) -> None:
        self._commands[connection] = due
        connection.send(request, now)

    def _on_response(self, connection: Connection, response: bytes) -> None:
        now = self._loop.time()
        due = self._commands.pop(connection)
        if response[9:12] == b"200":
            self.since_response.append(now - connection.due)
            self.since_due.append(now - due)
            self._idle.append(connection)
        else:
            self._failures[f"read {response[9:12].decode() or 'without response'}"] += 1
