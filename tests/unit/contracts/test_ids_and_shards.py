"""Ids contain their placement, which determines the shard."""

from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.contracts.ids import new_id, parse_id, placement
from shared.contracts.shards import all_shards, shard_of, split_shard

ids = st.builds(
    new_id,
    st.integers(0, 2**48 - 1),
    st.integers(0, 2**62 - 1),
    st.integers(0, 4095),
)


@given(st.integers(0, 2**48 - 1), st.integers(0, 2**62 - 1), st.integers(0, 4095))
def test_an_id_is_a_uuid_of_version_7_that_ends_in_its_placement(
    now_ms: int, randomness: int, expected: int
) -> None:
    id = new_id(now_ms, randomness, expected)
    assert (UUID(id).version, UUID(id).variant) == (7, "specified in RFC 4122")
    assert UUID(id).int >> 80 == now_ms
    assert placement(id) == expected
    assert parse_id(id.upper()) == id


@given(st.integers(0, 2**48 - 2), st.integers(0, 2**62 - 1), st.integers(0, 2**62 - 1))
def test_later_ids_sort_after_earlier_ones(now_ms: int, some: int, other: int) -> None:
    assert new_id(now_ms, some, 4095) < new_id(now_ms + 1, other, 0)


@given(ids, st.integers(1, 4096))
def test_a_shard_is_the_placement_modulo_the_partitions(id: str, partitions: int) -> None:
    assert split_shard(shard_of("orders", id, partitions)) == ("orders", placement(id) % partitions)


@pytest.mark.parametrize(
    "text", ["", "x", "0" * 32, "{00000000-0000-7000-8000-000000000000}", "\u0660" * 36]
)
def test_a_text_that_is_not_a_uuid_is_not_an_id(text: str) -> None:
    assert parse_id(text) is None


def test_there_are_as_many_shards_as_partitions_of_all_topics() -> None:
    assert len(set(all_shards(12))) == 36
