"""Questions that are gathered into batches."""

import asyncio

import pytest

from shared.request_coalescer import RequestCoalescer


class Slow:
    """Answers a batch with its questions, when told to."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.go = asyncio.Semaphore(0)

    async def send(self, questions: list[int]) -> list[int]:
        self.batches.append(questions)
        await self.go.acquire()
        if 13 in questions:
            raise ValueError("thirteen")
        return questions


async def settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_what_is_asked_while_a_batch_is_in_flight_forms_the_next() -> None:
    slow = Slow()
    gathering = RequestCoalescer(slow.send, most=3)
    first = gathering.ask(1)
    await settle()
    rest = [gathering.ask(number) for number in (2, 3, 4, 5)]
    for _ in range(3):
        slow.go.release()
    assert await asyncio.gather(first, *rest) == [1, 2, 3, 4, 5]
    assert slow.batches == [[1], [2, 3, 4], [5]]


async def test_who_left_before_the_batch_is_not_asked_for() -> None:
    slow = Slow()
    gathering = RequestCoalescer(slow.send, most=3)
    first, left, third = (gathering.ask(number) for number in (1, 2, 3))
    left.cancel()
    slow.go.release()
    assert [await first, await third] == [1, 3]
    assert slow.batches == [[1, 3]]


async def test_a_batch_that_fails_concerns_itself_alone() -> None:
    slow = Slow()
    gathering = RequestCoalescer(slow.send, most=2)
    bad = [gathering.ask(13), gathering.ask(1)]
    good = gathering.ask(2)
    slow.go.release()
    slow.go.release()
    for answer in bad:
        with pytest.raises(ValueError, match="thirteen"):
            await answer
    assert await good == 2


async def test_a_batch_weighs_no_more_than_it_may_but_a_heavy_question_goes_alone() -> None:
    slow = Slow()
    gathering = RequestCoalescer(slow.send, most=5, weigh=lambda question: question)
    answers = [gathering.ask(number) for number in (2, 3, 1, 9, 4)]
    for _ in answers:
        slow.go.release()
    await asyncio.gather(*answers)
    assert slow.batches == [[2, 3], [1], [9], [4]]


async def test_who_asks_gets_what_is_made_of_the_error() -> None:
    slow = Slow()
    gathering = RequestCoalescer(
        slow.send, most=2, failed=lambda error: KeyError(type(error).__name__)
    )
    slow.go.release()
    with pytest.raises(KeyError, match="ValueError"):
        await gathering.ask(13)


async def test_closing_cancels_who_waits() -> None:
    gathering = RequestCoalescer(Slow().send, most=1)
    answers = [gathering.ask(1), gathering.ask(2)]
    await settle()
    await gathering.close()
    assert all(answer.cancelled() for answer in answers)
