"""One batch in flight; what is asked meanwhile forms the next. A lone question waits for nobody."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Question = TypeVar("Question")
Answer = TypeVar("Answer")


def _as_it_is(error: Exception) -> Exception:
    return error


class RequestCoalescer(Generic[Question, Answer]):
    """`send` answers a batch of questions, in order. Its deadline is the batch's.

    A batch weighs at most `most`, or is a single question; without `weigh` each weighs one. Whoever
    asks may be cancelled at any time: the batch goes on, and its answers reach the others. When
    `send` fails, everybody in the batch gets what `failed` makes of the error.
    """

    def __init__(
        self,
        send: Callable[[list[Question]], Awaitable[Sequence[Answer]]],
        *,
        most: int,
        weigh: Callable[[Question], int] | None = None,
        failed: Callable[[Exception], Exception] = _as_it_is,
    ) -> None:
        self._send = send
        self._most = most
        self._weigh = weigh
        self._failed = failed
        self._waiting: list[tuple[asyncio.Future[Answer], Question]] = []
        self._sending: asyncio.Task[None] | None = None

    def ask(self, question: Question) -> asyncio.Future[Answer]:
        """The answer to come. Raises what `failed` gives when it is awaited and there is none."""
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
        count = self._most if self._weigh is None else self._fitting(self._weigh)
        batch, self._waiting = self._waiting[:count], self._waiting[count:]
        return [asked for asked in batch if not asked[0].done()]

    def _fitting(self, weigh: Callable[[Question], int]) -> int:
        weight = 0
        for count, (_, question) in enumerate(self._waiting):
            weight += weigh(question)
            if count and weight > self._most:
                return count
        return len(self._waiting)

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
            told = self._failed(error)
            for future, _ in batch:
                if not future.done():
                    future.set_exception(told)
            return
        for (future, _), answer in zip(batch, answers, strict=True):
            if not future.done():
                future.set_result(answer)
