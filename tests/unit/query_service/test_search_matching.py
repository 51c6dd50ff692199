"""Which products match a search."""

from collections.abc import Mapping, Sequence
from typing import cast

import orjson
import pytest

from query_service.pages import FetchedDocuments, Pages
from query_service.positions import ReadPositions
from query_service.search import Search, matches
from shared.contracts.words import words_of


@pytest.mark.parametrize(
    ("q", "found"),
    [("oak", True), ("oa ta", True), ("table", True), ("tables", False), ("oak chair", False)],
)
def test_each_word_is_a_prefix_of_a_word(q: str, found: bool) -> None:
    body = orjson.dumps({"name": "Table", "description": "Solid Oak", "status": "active"})
    assert matches(body, words_of(q)) is found


def test_a_retired_product_does_not_match() -> None:
    body = orjson.dumps({"name": "Table", "description": "", "status": "retired"})
    assert not matches(body, ["table"])


def product(name: str) -> bytes:
    return orjson.dumps({"name": name, "description": "", "status": "active"})


class ProductPages:
    """Products in one shard, newest first, as `Pages` reads them."""

    def __init__(self, bodies: dict[str, bytes]) -> None:
        self._bodies = dict(sorted(bodies.items(), reverse=True))
        self.fetched = 0

    async def sizes(
        self, keys: Mapping[str, Sequence[str]], _requirement: object
    ) -> dict[str, list[int]]:
        return {shard: [1] * len(of_shard) for shard, of_shard in keys.items()}

    async def newest(
        self, _indexes: object, before: str | None, count: int, _requirement: object
    ) -> tuple[ReadPositions, list[str]]:
        ids = [id for id in self._bodies if before is None or id < before]
        return ReadPositions({}, {}), ids[:count]

    async def fetch(self, _topic: str, ids: Sequence[str], _positions: object) -> FetchedDocuments:
        self.fetched += len(ids)
        return FetchedDocuments({id: self._bodies[id] for id in ids}, {}, 0)


class CpuClock:
    """Each candidate takes the same CPU time."""

    def __init__(self, candidate_s: float) -> None:
        self._now, self._candidate_s = 0.0, candidate_s

    def __call__(self) -> float:
        self._now += self._candidate_s
        return self._now


@pytest.mark.parametrize("candidate_s", [0.0, 0.0007, 0.003, 1.0])
async def test_a_page_ends_early_when_its_cpu_time_is_used_and_no_product_is_lost(
    candidate_s: float,
) -> None:
    bodies = {f"{n:03}": product("Green tea" if n % 7 == 0 else "Green mug") for n in range(250)}
    expected = [id for id in sorted(bodies, reverse=True) if int(id) % 7 == 0]
    found: list[str] = []
    before, page_count = None, 0
    while True:
        pages = cast("Pages", ProductPages(bodies))
        search = Search(pages, ["products.0"], ["green", "tea"], CpuClock(candidate_s))
        page = await search.page(before, 5, None)
        page_count += 1
        assert len(page.bodies) <= 5
        found += page.bodies
        if page.last is None:
            break
        assert before is None or page.last < before
        before = page.last
    assert found == expected
    if candidate_s == 1.0:
        assert page_count >= 250
