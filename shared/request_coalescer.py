"""Coalesces concurrent requests: one batch in flight, later requests form the next. No timer."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Request = TypeVar("Request")
Result = TypeVar("Result")


def _unchanged(error: Exception) -> Exception:
    return error


def _never(_error: Exception) -> bool:
    return False


class RequestCoalescer(Generic[Request, Result]):
    """Passes batches of requests to `send`, which returns their results in the same order.

    A batch has a total weight of at most `max_batch_size`, or is a single request; without
    `weight` each request weighs 1. A deadline in `send` applies to the batch. A caller may be
    cancelled at any time without effect on the others. If `send` fails, every request of the
    batch fails with `map_error(error)`, and the queued ones as well if `fails_queue(error)`: each
    would otherwise wait for one more timeout.
    """

    def __init__(
        self,
        send: Callable[[list[Request]], Awaitable[Sequence[Result]]],
        *,
        max_batch_size: int,
        weight: Callable[[Request], int] | None = None,
        map_error: Callable[[Exception], Exception] = _unchanged,
        fails_queue: Callable[[Exception], bool] = _never,
    ) -> None:
        self._send = send
        self._max_batch_size = max_batch_size
        self._weight = weight
        self._map_error = map_error
        self._fails_queue = fails_queue
        self._queue: list[tuple[asyncio.Future[Result], Request]] = []
        self._sender: asyncio.Task[None] | None = None

    def submit(self, request: Request) -> asyncio.Future[Result]:
        """The future result; awaiting it raises what `map_error` returns if the batch fails."""
        loop = asyncio.get_running_loop()
        result: asyncio.Future[Result] = loop.create_future()
        self._queue.append((result, request))
        if self._sender is None:
            self._sender = loop.create_task(self._send_batches())
        return result

    async def close(self) -> None:
        """Cancel the batch in flight and all queued requests."""
        if self._sender is not None:
            self._sender.cancel()
            await asyncio.wait([self._sender])

    async def _send_batches(self) -> None:
        try:
            while self._queue:
                await self._send_batch(self._next_batch())
        finally:
            self._sender = None
            for result, _ in self._queue:
                result.cancel()

    def _next_batch(self) -> list[tuple[asyncio.Future[Result], Request]]:
        count = self._max_batch_size if self._weight is None else self._count_fitting(self._weight)
        batch, self._queue = self._queue[:count], self._queue[count:]
        return [entry for entry in batch if not entry[0].done()]

    def _count_fitting(self, weight: Callable[[Request], int]) -> int:
        """How many requests at the front of the queue fit into a batch."""
        total = 0
        for count, (_, request) in enumerate(self._queue):
            total += weight(request)
            if count and total > self._max_batch_size:
                return count
        return len(self._queue)

    async def _send_batch(self, batch: list[tuple[asyncio.Future[Result], Request]]) -> None:
        if not batch:
            return
        try:
            results = await self._send([request for _, request in batch])
        except asyncio.CancelledError:
            for future, _ in batch:
                future.cancel()
            raise
        except Exception as error:
            mapped = self._map_error(error)
            if self._fails_queue(error):
                batch, self._queue = [*batch, *self._queue], []
            for future, _ in batch:
                if not future.done():
                    future.set_exception(mapped)
            return
        for (future, _), result in zip(batch, results, strict=True):
            if not future.done():
                future.set_result(result)
