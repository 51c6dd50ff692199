"""A new installation without events serves reads when its processes are ready."""


def test_empty_views_can_be_read(first_reads: dict[str, int]) -> None:
    assert set(first_reads.values()) == {200}, first_reads
