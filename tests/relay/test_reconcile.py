"""Each rule of `reconcile`, by a trace that fails without it. [2,2]: positions in offset order."""

from uuid import UUID

import pytest

from command_service.relay.cursor import NONE, Cursor
from command_service.relay.errors import NotOwner, PartitionChanged
from command_service.relay.lease import FencingToken
from command_service.relay.reconcile import KafkaRecordRef, Reconciled, reconcile
from shared.event_log import LogDivergence
from tests.relay.fakes import FakeCursors, FakeLog, FakePartition, event_id

TOKEN = FencingToken("orders.7", UUID(int=1), 1)


class Shard:
    def __init__(self, max_records: int = 2) -> None:
        self.kafka = FakePartition(max_records)
        self.cursors = FakeCursors()
        self.log = FakeLog()

    async def reconcile(self) -> Reconciled:
        return await reconcile(TOKEN, self.kafka, self.cursors, self.log)


@pytest.fixture(params=[1, 2, 100])
def shard(request: pytest.FixtureRequest) -> Shard:
    return Shard(request.param)


async def test_an_empty_partition_has_no_cursor(shard: Shard) -> None:
    assert await shard.reconcile() == Reconciled(NONE, 0)


async def test_the_cursor_is_the_last_record_read_back_in_order(shard: Shard) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    result = await shard.reconcile()
    assert result.cursor == Cursor(3, 2, event_id(3), shard.kafka.records[2].timestamp_ms)
    assert result.end == 3
    assert shard.cursors.cursor == result.cursor


async def test_the_cursor_stops_before_a_gap_and_expects_the_end(shard: Shard) -> None:
    shard.log.commit(4)
    shard.kafka.extend(1, 2, 4, 2)
    result = await shard.reconcile()
    assert (result.cursor.position, result.cursor.offset, result.end) == (2, 1, 4)


async def test_duplicates_and_records_ahead_are_skipped(shard: Shard) -> None:
    shard.log.commit(4)
    shard.kafka.extend(1, 3, 1, 2, 2, 3, 1)
    assert (await shard.reconcile()).cursor.position == 3


async def test_a_scan_starts_after_the_cursor(shard: Shard) -> None:
    shard.log.commit(4)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.extend(3, 4)
    shard.kafka.records[0] = KafkaRecordRef(0, 0, 99, "not read")
    assert (await shard.reconcile()).cursor.position == 4


async def test_a_recreated_empty_topic_resets_the_cursor(shard: Shard) -> None:
    shard.log.commit(2)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.recreate()
    assert await shard.reconcile() == Reconciled(NONE, 0)
    assert shard.cursors.cursor is NONE


async def test_a_cursor_at_the_end_offset_is_lost(shard: Shard) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    await shard.reconcile()
    shard.kafka.lose_tail(1)
    result = await shard.reconcile()
    assert (result.cursor.position, result.cursor.offset, result.end) == (2, 1, 2)


async def test_a_recreated_topic_with_the_next_batch_resets_the_cursor(shard: Shard) -> None:
    """[1], recreated, [2,3]: the record at the cursor's offset is another event."""
    shard.log.commit(3)
    shard.kafka.extend(1)
    await shard.reconcile()
    shard.kafka.recreate()
    shard.kafka.extend(2, 3)
    assert (await shard.reconcile()).cursor == NONE


async def test_another_event_at_the_cursor_with_the_same_timestamp_is_not_the_cursor(
    shard: Shard,
) -> None:
    """[1], recreated, [2], within one millisecond."""
    shard.log.commit(2)
    shard.kafka.extend(1)
    await shard.reconcile()
    shard.kafka.recreate()
    shard.kafka.clock -= 1
    shard.kafka.extend(2)
    assert (await shard.reconcile()).cursor == NONE


async def test_the_same_event_at_the_same_offset_of_another_topic_is_not_the_cursor(
    shard: Shard,
) -> None:
    """[1,2], recreated, late batches [3] and [2]: event 2 is at the offset of the cursor."""
    shard.log.commit(3)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.recreate()
    shard.kafka.extend(3, 2)
    assert (await shard.reconcile()).cursor == NONE


async def test_a_cursor_removed_by_retention_is_kept(shard: Shard) -> None:
    shard.log.commit(5)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.extend(3, 4)
    shard.kafka.delete_before(2)
    assert (await shard.reconcile()).cursor.position == 4


async def test_a_cursor_removed_by_retention_is_kept_if_the_partition_is_empty(
    shard: Shard,
) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.extend(1)
    shard.kafka.delete_before(3)
    assert shard.kafka.start == shard.kafka.end == 3
    assert (await shard.reconcile()).cursor.position == 2


async def test_a_divergence_is_found_after_retention_removed_the_cursor(shard: Shard) -> None:
    shard.log.commit(2)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.append(3, "never committed")
    shard.kafka.delete_before(2)
    with pytest.raises(LogDivergence):
        await shard.reconcile()


async def test_a_record_that_the_event_log_lacks_is_a_divergence(shard: Shard) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    shard.log.restore(2)
    with pytest.raises(LogDivergence, match="position 3"):
        await shard.reconcile()
    assert shard.cursors.cursor == NONE, "nothing was written"


async def test_a_record_that_is_another_event_in_the_event_log_is_a_divergence(
    shard: Shard,
) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    shard.log.restore(2)
    shard.log.commit(1, "b")
    with pytest.raises(LogDivergence):
        await shard.reconcile()


async def test_every_scanned_record_is_verified_against_the_event_log(
    shard: Shard,
) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    shard.kafka.append(2, "b")
    with pytest.raises(LogDivergence, match="position 2"):
        await shard.reconcile()


async def test_a_cursor_that_the_event_log_lacks_is_a_divergence_even_if_kafka_lost_it(
    shard: Shard,
) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    await shard.reconcile()
    shard.log.restore(2)
    shard.kafka.recreate()
    with pytest.raises(LogDivergence, match="position 3"):
        await shard.reconcile()


async def test_an_event_committed_and_published_before_the_bounds_is_no_divergence(
    shard: Shard,
) -> None:
    """The event log is read after Kafka: a former owner publishes between the two."""
    shard.log.commit(1)
    shard.kafka.extend(1)
    original = shard.kafka.bounds

    async def bounds() -> tuple[int, int]:
        shard.log.commit(1)
        shard.kafka.append(2)
        return await original()

    shard.kafka.bounds = bounds  # type: ignore[method-assign]
    assert (await shard.reconcile()).cursor.position == 2


async def test_an_event_published_during_the_scan_is_no_divergence(shard: Shard) -> None:
    shard.log.commit(3)
    shard.kafka.extend(1, 2, 3)
    original = shard.kafka.read

    async def read(first: int, end: int) -> tuple[list[KafkaRecordRef], int]:
        shard.log.commit(1)
        shard.kafka.append(len(shard.log.ids))
        records, next_offset = await original(first, end)
        return list(records), next_offset

    shard.kafka.read = read  # type: ignore[method-assign]
    result = await shard.reconcile()
    assert (result.cursor.position, result.end) == (3, 3)


async def test_foreign_records_are_skipped(shard: Shard) -> None:
    shard.log.commit(2)
    shard.kafka.extend(0, 1, 0, 2, 0)
    assert (await shard.reconcile()).cursor.position == 2


async def test_a_former_owner_reads_and_writes_nothing(shard: Shard) -> None:
    shard.log.commit(1)
    shard.kafka.extend(1)
    shard.cursors.epoch = 2
    with pytest.raises(NotOwner):
        await shard.reconcile()
    assert shard.cursors.cursor == NONE


async def test_a_relay_that_loses_the_shard_during_the_scan_writes_nothing(shard: Shard) -> None:
    shard.log.commit(1)
    shard.kafka.extend(1)
    original = shard.kafka.bounds

    async def bounds() -> tuple[int, int]:
        shard.cursors.epoch = 2
        return await original()

    shard.kafka.bounds = bounds  # type: ignore[method-assign]
    with pytest.raises(NotOwner):
        await shard.reconcile()
    assert shard.cursors.cursor == NONE


async def test_after_a_lost_tail_the_remaining_records_are_read_from_the_start(
    shard: Shard,
) -> None:
    """The tail is lost and another record has its offset; the records before it are kept."""
    shard.log.commit(5)
    shard.kafka.extend(1, 2, 3)
    await shard.reconcile()
    shard.kafka.lose_tail(1)
    shard.kafka.extend(5)
    result = await shard.reconcile()
    assert (result.cursor.position, result.cursor.offset) == (2, 1)


async def test_a_topic_recreated_between_the_cursor_and_the_scan_resets_the_cursor(
    shard: Shard,
) -> None:
    """[1,2,3], cursor at 2; recreated, late batches [2,3] and [3]: a scan alone would accept 3."""
    shard.log.commit(3)
    shard.kafka.extend(1, 2)
    await shard.reconcile()
    shard.kafka.append(3)
    original = shard.kafka.read

    async def read(first: int, end: int) -> tuple[list[KafkaRecordRef], int]:
        records, next_offset = await original(first, end)
        shard.kafka.read = original  # type: ignore[method-assign]
        shard.kafka.recreate()
        shard.kafka.extend(2, 3, 3)
        return list(records), next_offset

    shard.kafka.read = read  # type: ignore[method-assign]
    with pytest.raises(PartitionChanged):
        await shard.reconcile()
    assert shard.cursors.cursor.position == 2, "nothing was written"
    assert (await shard.reconcile()).cursor == NONE


async def test_a_topic_recreated_after_its_bounds_were_read_resets_a_cursor_removed_by_retention(
    shard: Shard,
) -> None:
    """[1,2,3] from offset 2, cursor at 1; recreated, late batches [3], [3] and [2]."""
    shard.log.commit(3)
    shard.kafka.append(1)
    await shard.reconcile()
    shard.kafka.extend(2, 3)
    shard.kafka.delete_before(2)
    original = shard.kafka.bounds

    async def bounds() -> tuple[int, int]:
        result = await original()
        shard.kafka.bounds = original  # type: ignore[method-assign]
        shard.kafka.recreate()
        shard.kafka.extend(3, 3, 2)
        return result

    shard.kafka.bounds = bounds  # type: ignore[method-assign]
    with pytest.raises(PartitionChanged):
        await shard.reconcile()
    assert (await shard.reconcile()).cursor == NONE
