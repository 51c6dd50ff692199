"""Sends a job's requests and times the answers, from when each request was due."""

import asyncio
import itertools
import random
import re
import time
from collections import Counter, deque
from typing import Final

from benchmarks.load.connection import Connection
from benchmarks.load.job import Follow, Found, Job
from tests.support.waiting import until

_DRAIN_S: Final = 30.0
_LOCATION: Final = re.compile(rb"location: *(\S+)", re.IGNORECASE)
_TOKEN: Final = re.compile(rb"consistency-token: *(\S+)", re.IGNORECASE)
_HOST: Final = "127.0.0.1"


async def generate(job: Job) -> Found:
    """Does the job. Failures are counted, not raised."""
    return await _Generator(job).run()


class _Generator:
    def __init__(self, job: Job) -> None:
        self._job = job
        self._requests = itertools.cycle(job.requests)
        self._loop = asyncio.get_running_loop()
        self._clock = self._loop.time
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []
        self._late: deque[float] = deque()
        self._found = Found()
        self._failures: Counter[str] = Counter()
        self._random = random.Random(1)
        self._until = 0.0
        self._next_due = 0.0
        self._on_their_way = 0
        self._last = 0.0
        self._done = asyncio.Event()
        self._follower = None if job.follow is None else _Follower(job.follow, self._failures)

    async def run(self) -> Found:
        try:
            return await self._run()
        finally:
            for connection in self._connections:
                connection.close()
            if self._follower is not None:
                self._follower.close()

    async def _run(self) -> Found:
        for _ in range(self._job.clients):
            _, connection = await self._loop.create_connection(
                lambda: Connection(self._answered), _HOST, self._job.port
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
            if self._follower is not None:
                await self._follower.finish()
        return self._result(begun, cpu)

    def _result(self, begun: float, cpu: float) -> Found:
        found, follower = self._found, self._follower
        found.seconds = self._last - begun
        found.cpu_seconds = time.process_time() - cpu
        if follower is not None:
            found.visible, found.visible_since_due = sorted(follower.took), sorted(follower.due)
        found.latencies.sort()
        found.failures = dict(self._failures)
        return found

    def _send(self, connection: Connection, due: float) -> None:
        self._on_their_way += 1
        connection.send(next(self._requests), due)

    def _send_due(self) -> None:
        """All that are due by now; who finds no free connection waits, and its time runs."""
        assert self._job.rate is not None
        now = self._clock()
        while self._next_due <= now and self._next_due < self._until:
            if self._idle:
                self._send(self._idle.pop(), self._next_due)
            else:
                self._late.append(self._next_due)
            self._next_due += self._random.expovariate(self._job.rate)
        if self._next_due < self._until:
            self._loop.call_at(self._next_due, self._send_due)
        else:
            self._end_if_all_answered()

    def _answered(self, connection: Connection, answer: bytes) -> None:
        now = self._last = self._clock()
        self._on_their_way -= 1
        if answer[9:10] == b"2":
            self._found.latencies.append(now - connection.due)
            if self._follower is not None:
                self._follower.command_answered(answer, now, connection.due)
        else:
            self._failures[answer[9:12].decode() or "no answer"] += 1
        if not answer:
            self._end_if_all_answered()
        elif self._job.rate is None and now < self._until:
            self._send(connection, now)
        elif self._late:
            self._send(connection, self._late.popleft())
        else:
            self._idle.append(connection)
            self._end_if_all_answered()

    def _end_if_all_answered(self) -> None:
        over = self._job.rate is None or self._next_due >= self._until
        if over and not self._on_their_way:
            self._done.set()


class _Follower:
    """Reads what some of the commands wrote, with their tokens."""

    def __init__(self, follow: Follow, failures: "Counter[str]") -> None:
        self._follow = follow
        self._failures = failures
        self._loop = asyncio.get_running_loop()
        self._connections: list[Connection] = []
        self._idle: list[Connection] = []
        self._commands: dict[Connection, float] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._count = 0
        self.took: list[float] = []
        self.due: list[float] = []

    def command_answered(self, answer: bytes, now: float, due: float) -> None:
        self._count += 1
        if self._count % self._follow.every:
            return
        head = answer.partition(b"\r\n\r\n")[0]
        location, token = _LOCATION.search(head), _TOKEN.search(head)
        assert location is not None
        assert token is not None
        request = (
            b"GET %b HTTP/1.1\r\nHost: bench\r\nAuthorization: %b\r\n"
            b"Consistency-Token: %b\r\nPrefer: wait=20\r\n\r\n"
        ) % (location[1], self._follow.authorization, token[1])
        if self._idle:
            self._ask(self._idle.pop(), request, now, due)
        else:
            task = self._loop.create_task(self._ask_anew(request, now, due))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def finish(self) -> None:
        """Wait for the reads that are still under way."""

        async def all_answered() -> bool:
            return not (self._tasks or self._commands)

        await until(all_answered, "reads with tokens are answered")

    def close(self) -> None:
        for connection in self._connections:
            connection.close()

    async def _ask_anew(self, request: bytes, now: float, due: float) -> None:
        _, connection = await self._loop.create_connection(
            lambda: Connection(self._answered), _HOST, self._follow.port
        )
        self._connections.append(connection)
        self._ask(connection, request, now, due)

    def _ask(self, connection: Connection, request: bytes, now: float, due: float) -> None:
        self._commands[connection] = due
        connection.send(request, now)

    def _answered(self, connection: Connection, answer: bytes) -> None:
        now = self._loop.time()
        due = self._commands.pop(connection)
        if answer[9:12] == b"200":
            self.took.append(now - connection.due)
            self.due.append(now - due)
            self._idle.append(connection)
        else:
            self._failures[f"read {answer[9:12].decode() or 'not answered'}"] += 1
