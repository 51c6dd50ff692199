"""Concurrent requests are combined into batches."""

import asyncio

import pytest

from shared.request_coalescer import RequestCoalescer


class SlowEcho:
    """Returns each batch's requests as its results, once `released`; fails for 13."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.released = asyncio.Semaphore(0)

    async def send(self, requests: list[int]) -> list[int]:
        self.batches.append(requests)
        await self.released.acquire()
        if 13 in requests:
            raise ValueError("thirteen")
        return requests


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_requests_during_a_batch_form_the_next() -> None:
    echo = SlowEcho()
    coalescer = RequestCoalescer(echo.send, max_batch_size=3)
    first = coalescer.submit(1)
    await settle()
    others = [coalescer.submit(number) for number in (2, 3, 4, 5)]
    for _ in range(3):
        echo.released.release()
    assert await asyncio.gather(first, *others) == [1, 2, 3, 4, 5]
    assert echo.batches == [[1], [2, 3, 4], [5]]


async def test_a_cancelled_request_is_not_sent() -> None:
    echo = SlowEcho()
    coalescer = RequestCoalescer(echo.send, max_batch_size=3)
    first, second, third = (coalescer.submit(number) for number in (1, 2, 3))
    second.cancel()
    echo.released.release()
    assert [await first, await third] == [1, 3]
    assert echo.batches == [[1, 3]]


async def test_a_failed_batch_does_not_affect_the_next() -> None:
    echo = SlowEcho()
    coalescer = RequestCoalescer(echo.send, max_batch_size=2)
    failing = [coalescer.submit(13), coalescer.submit(1)]
    succeeding = coalescer.submit(2)
    echo.released.release()
    echo.released.release()
    for result in failing:
        with pytest.raises(ValueError, match="thirteen"):
            await result
    assert await succeeding == 2


async def test_the_weight_of_a_batch_is_limited_and_a_heavier_request_is_sent_alone() -> None:
    echo = SlowEcho()
    coalescer = RequestCoalescer(echo.send, max_batch_size=5, weight=lambda request: request)
    results = [coalescer.submit(number) for number in (2, 3, 1, 9, 4)]
    for _ in results:
        echo.released.release()
    await asyncio.gather(*results)
    assert echo.batches == [[2, 3], [1], [9], [4]]


async def test_callers_get_the_mapped_error() -> None:
    echo = SlowEcho()
    coalescer = RequestCoalescer(
        echo.send, max_batch_size=2, map_error=lambda error: KeyError(type(error).__name__)
    )
    echo.released.release()
    with pytest.raises(KeyError, match="ValueError"):
        await coalescer.submit(13)


async def test_closing_cancels_all_requests() -> None:
    coalescer = RequestCoalescer(SlowEcho().send, max_batch_size=1)
    results = [coalescer.submit(1), coalescer.submit(2)]
    await settle()
    await coalescer.close()
    assert all(result.cancelled() for result in results)
