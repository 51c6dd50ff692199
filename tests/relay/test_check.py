"""Each rule of `check`, by the trace that goes wrong without it. [2,2]: positions by offset."""

from uuid import UUID

import pytest

from command_service.relay.cursor import NONE, Claim, Cursor, NotOwner
from command_service.relay.reconcile import Checked, Seen, check
from shared.event_log import LogDivergence
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition, event_id

CLAIM = Claim("orders.7", UUID(int=1), 1)


class World:
    def __init__(self, at_once: int = 2) -> None:
        self.kafka = FakePartition(at_once)
        self.cursors = FakeCursors()
        self.log = FakeLog()

    async def check(self) -> Checked:
        return await check(CLAIM, self.kafka, self.cursors, self.log)


@pytest.fixture(params=[1, 2, 100])
def world(request: pytest.FixtureRequest) -> World:
    return World(request.param)


async def test_starts_at_none_on_an_empty_partition(world: World) -> None:
    assert await world.check() == Checked(NONE, 0)


async def test_the_cursor_is_the_last_record_in_order_that_was_read_back(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    checked = await world.check()
    assert checked.cursor == Cursor(3, 2, event_id(3), world.kafka.records[2].timestamp_ms)
    assert checked.end == 3
    assert world.cursors.cursor == checked.cursor


async def test_the_cursor_stops_before_a_gap_and_expects_the_end(world: World) -> None:
    world.log.commit(4)
    world.kafka.extend(1, 2, 4, 2)
    checked = await world.check()
    assert (checked.cursor.position, checked.cursor.offset, checked.end) == (2, 1, 4)


async def test_repeats_and_records_ahead_are_passed_over(world: World) -> None:
    world.log.commit(4)
    world.kafka.extend(1, 3, 1, 2, 2, 3, 1)
    assert (await world.check()).cursor.position == 3


async def test_goes_on_from_the_cursor_without_reading_what_is_before_it(world: World) -> None:
    world.log.commit(4)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.extend(3, 4)
    world.kafka.records[0] = Seen(0, 0, 99, "not looked at")
    assert (await world.check()).cursor.position == 4


async def test_topic_made_again_and_empty_begins_again(world: World) -> None:
    world.log.commit(2)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.made_again()
    assert await world.check() == Checked(NONE, 0)
    assert world.cursors.cursor is NONE


async def test_an_offset_exactly_at_the_end_counts_as_lost(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    await world.check()
    world.kafka.lose_tail(1)
    checked = await world.check()
    assert (checked.cursor.position, checked.cursor.offset, checked.end) == (2, 1, 2)


async def test_topic_made_again_with_the_next_batch_on_it_begins_again(world: World) -> None:
    """[1], made again, [2,3]: the record at the cursor's offset is another event."""
    world.log.commit(3)
    world.kafka.extend(1)
    await world.check()
    world.kafka.made_again()
    world.kafka.extend(2, 3)
    assert (await world.check()).cursor == NONE


async def test_another_event_at_the_cursor_with_the_same_timestamp_is_not_the_cursor(
    world: World,
) -> None:
    """[1], made again, [2], all within a millisecond."""
    world.log.commit(2)
    world.kafka.extend(1)
    await world.check()
    world.kafka.made_again()
    world.kafka.clock -= 1
    world.kafka.extend(2)
    assert (await world.check()).cursor == NONE


async def test_the_same_event_at_the_same_offset_of_another_topic_is_not_the_cursor(
    world: World,
) -> None:
    """[1,2], made again, a late [3], then late [2]: event 2 stands at the offset of the cursor."""
    world.log.commit(3)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.made_again()
    world.kafka.extend(3, 2)
    assert (await world.check()).cursor == NONE


async def test_a_cursor_that_only_aged_out_is_kept(world: World) -> None:
    world.log.commit(5)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.extend(3, 4)
    world.kafka.age_out(2)
    assert (await world.check()).cursor.position == 4


async def test_an_aged_out_cursor_is_kept_where_nothing_is_left(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.extend(1)
    world.kafka.age_out(3)
    # Nothing to scan; the end is the start. The cursor is below both.
    assert world.kafka.start == world.kafka.end == 3
    assert (await world.check()).cursor.position == 2


async def test_a_fork_is_found_in_the_scan_after_the_cursor_aged_out(world: World) -> None:
    world.log.commit(2)
    world.kafka.extend(1, 2)
    await world.check()
    world.kafka.append(3, "never committed")
    world.kafka.age_out(2)
    with pytest.raises(LogDivergence):
        await world.check()


async def test_a_record_that_the_log_lacks_is_a_fork(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    world.log.restore(2)
    with pytest.raises(LogDivergence, match="position 3"):
        await world.check()
    assert world.cursors.cursor == NONE, "nothing was written"


async def test_a_record_that_is_another_event_in_the_log_is_a_fork(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    world.log.restore(2)
    world.log.commit(1, "b")
    with pytest.raises(LogDivergence):
        await world.check()


async def test_every_record_seen_is_held_against_the_log_not_only_the_next_ones(
    world: World,
) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    world.kafka.append(2, "b")
    with pytest.raises(LogDivergence, match="position 2"):
        await world.check()


async def test_a_cursor_that_the_log_lacks_is_a_fork_even_where_kafka_lost_it(
    world: World,
) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    await world.check()
    world.log.restore(2)
    world.kafka.made_again()
    with pytest.raises(LogDivergence, match="position 3"):
        await world.check()


async def test_an_event_committed_and_published_during_the_check_is_no_fork(world: World) -> None:
    """The log is read after Kafka: a zombie publishes between the two."""
    world.log.commit(1)
    world.kafka.extend(1)
    reading = world.kafka.bounds

    async def bounds() -> tuple[int, int]:
        world.log.commit(1)
        world.kafka.append(2)
        return await reading()

    world.kafka.bounds = bounds  # type: ignore[method-assign]
    assert (await world.check()).cursor.position == 2


async def test_an_event_published_during_the_scan_is_no_fork(world: World) -> None:
    world.log.commit(3)
    world.kafka.extend(1, 2, 3)
    reading = world.kafka.read

    async def read(first: int, end: int) -> tuple[list[Seen], int]:
        world.log.commit(1)
        world.kafka.append(len(world.log.ids))
        records, following = await reading(first, end)
        return list(records), following

    world.kafka.read = read  # type: ignore[method-assign]
    checked = await world.check()
    assert (checked.cursor.position, checked.end) == (3, 3)


async def test_foreign_records_are_passed_over(world: World) -> None:
    world.log.commit(2)
    world.kafka.extend(0, 1, 0, 2, 0)
    assert (await world.check()).cursor.position == 2


async def test_a_relay_that_was_taken_over_reads_and_writes_nothing(world: World) -> None:
    world.log.commit(1)
    world.kafka.extend(1)
    world.cursors.epoch = 2
    with pytest.raises(NotOwner):
        await world.check()
    assert world.cursors.cursor == NONE


async def test_a_relay_that_is_taken_over_during_the_check_writes_nothing(world: World) -> None:
    world.log.commit(1)
    world.kafka.extend(1)
    reading = world.kafka.bounds

    async def bounds() -> tuple[int, int]:
        world.cursors.epoch = 2
        return await reading()

    world.kafka.bounds = bounds  # type: ignore[method-assign]
    with pytest.raises(NotOwner):
        await world.check()
    assert world.cursors.cursor == NONE


async def test_a_new_none_is_compared_with_what_is_there_from_the_start(world: World) -> None:
    """The tail is lost and its place taken: what is still there from the start is kept."""
    world.log.commit(5)
    world.kafka.extend(1, 2, 3)
    await world.check()
    world.kafka.lose_tail(1)
    world.kafka.extend(5)
    checked = await world.check()
    assert (checked.cursor.position, checked.cursor.offset) == (2, 1)
