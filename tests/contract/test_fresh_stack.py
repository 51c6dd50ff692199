"""An installation without a single event answers as soon as its processes are ready."""


def test_empty_views_are_not_missing_views(first_reads: dict[str, int]) -> None:
    assert set(first_reads.values()) == {200}, first_reads
