"""Pages merged from truncated lists; an uncertain merge is read again."""

import random
from collections.abc import Sequence

import pytest

from query_service.consistency import Consistency
from query_service.pages import Pages, merge_greatest
from query_service.positions import Positions
from query_service.reader import Reading
from query_service.watcher import Watcher
from shared.contracts.views import Checkpoint
from shared.redis.exchange import RedisCommand


@pytest.mark.parametrize("seed", range(50))
def test_truncated_lists_merge_like_complete_ones(seed: int) -> None:
    draw = random.Random(seed)
    ids = [b"%06d" % number for number in draw.sample(range(10**6), draw.randrange(200))]
    lists = [
        sorted(ids[start :: draw.randint(4, 9)], reverse=True)
        for start in range(draw.randint(1, 4))
    ]
    lists = [list(dict.fromkeys(one)) for one in lists]
    count, max_ids = draw.randint(1, 60), draw.randint(1, 60)
    expected = sorted((id for one in lists for id in one), reverse=True)[:count]
    found = merge_greatest([one[:max_ids] for one in lists], max_ids, count)
    assert found is None or found == [id.decode() for id in expected]
    if max_ids >= count:
        assert found is not None


def test_a_list_truncated_above_the_last_id_of_the_page_is_uncertain() -> None:
    assert merge_greatest([[b"9", b"8"], [b"3", b"2"]], 2, 3) is None
    assert merge_greatest([[b"9", b"5"], [b"7", b"6"]], 2, 3) == ["9", "7", "6"]


class Redis:
    """Indexes in memory; counts reads."""

    def __init__(self, indexes: dict[str, list[bytes]]) -> None:
        self.indexes = indexes
        self.reads = 0

    async def read(self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()) -> Reading:
        self.reads += 1
        found = [self.indexes[str(command[1])][: int(command[6])] for command in commands]
        return Reading([Checkpoint(1, 0, "").encode() for _ in keys], found)

    async def get(self, keys: Sequence[str]) -> list[bytes | None]:
        return (await self.read(keys)).values


@pytest.mark.parametrize(("crowded", "reads"), [(False, 1), (True, 2)])
async def test_a_complete_page_can_come_from_one_shard(crowded: bool, reads: int) -> None:
    numbers = range(240)
    indexes = {f"s{n}": [b"%03d" % i for i in numbers if i % 12 == n][::-1] for n in range(12)}
    if crowded:
        indexes["s3"] = [b"9%03d" % i for i in numbers][::-1]
    redis, positions = Redis(indexes), Positions()
    watcher = Watcher(
        lambda keys: redis.get(keys), [], positions, max_waiting_reads=1, beat=lambda: None
    )
    pages = Pages(redis, Consistency(positions, watcher), 12)
    _, ids = await pages.newest({name: name for name in indexes}, None, 51, None)
    everything = sorted((id.decode() for one in indexes.values() for id in one), reverse=True)
    assert ids == everything[:51]
    assert redis.reads == reads
