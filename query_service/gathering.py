"""One batch in flight; what is asked meanwhile forms the next. A lone question waits for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

import structlog

from shared.http.problems import unavailable
from shared.logs import origin
from shared.redis import REDIS_DOWN

log = structlog.stdlib.get_logger(__name__)

Question = TypeVar("Question")
Answer = TypeVar("Answer")


class Gathering(Generic[Question, Answer]):
    """`send` answers a batch of at most `most` questions, in order. Its deadline is the batch's.

    Whoever asks may be cancelled at any time: the batch goes on, and its answers reach the others.
    When `send` fails, everybody in the batch gets 503.
    """

    def __init__(
        self, send: Callable[[list[Question]], Awaitable[Sequence[Answer]]], *, most: int
    ) -> None:
        self._send = send
        self._most = most
        self._waiting: list[tuple[asyncio.Future[Answer], Question]] = []
        self._sending: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> asyncio.Future[Answer]:
        """The answer to come. Raises 503 when it is awaited and there is none."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answer] = loop.create_future()
        self._waiting.append((answer, question))
        if self._sending is None:
            self._sending = loop.create_task(self._send_all())
        return answer

    async def close(self) -> None:
        """Gives up what is in flight; who still waits is cancelled."""
        if self._sending is not None:
            self._sending.cancel()
            await asyncio.wait([self._sending])

    async def _send_all(self) -> None:
        try:
            while self._waiting:
                await self._send_batch(self._take())
        finally:
            self._sending = None
            for answer, _ in self._waiting:
                answer.cancel()

    def _take(self) -> list[tuple[asyncio.Future[Answer], Question]]:
        batch, self._waiting = self._waiting[: self._most], self._waiting[self._most :]
        return [asked for asked in batch if not asked[0].done()]

    async def _send_batch(self, batch: list[tuple[asyncio.Future[Answer], Question]]) -> None:
        if not batch:
            return
        try:
            answers = await self._send([question for _, question in batch])
        except asyncio.CancelledError:
            for future, _ in batch:
                future.cancel()
            raise
        except Exception as error:
            if not isinstance(error, REDIS_DOWN):
                log.error("a read of the views failed", error=origin(error))
            for future, _ in batch:
                if not future.done():
                    future.set_exception(unavailable("the views cannot be reached"))
            return
        for (future, _), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
