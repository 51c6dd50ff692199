"""A document is read from its topic's primary view, or from another view by name."""

from collections.abc import Awaitable, Sequence

import pytest

from query_service.consistency import Consistency, ConsistencyRequirement
from query_service.documents import Documents
from query_service.positions import Positions
from query_service.reader import Reading, Values
from query_service.watcher import Watcher
from shared.contracts.views import Checkpoint, checkpoint_key, document_key, view_key
from shared.redis.exchange import RedisCommand

ID = "0199a000-0000-7000-8000-000000000001"
SHARD = "products.0"
STORED = {
    checkpoint_key(SHARD): Checkpoint(3, 2, "").encode(),
    document_key(SHARD, ID): b"primary",
    view_key("corrections", document_key(SHARD, ID)): b"other",
}


class FakeReader:
    def get(self, keys: Sequence[str]) -> Awaitable[Values]:
        return self._values(keys)

    async def _values(self, keys: Sequence[str]) -> Values:
        return [STORED.get(key) for key in keys]

    async def read(self, keys: Sequence[str], commands: Sequence[RedisCommand] = ()) -> Reading:
        return Reading(await self._values(keys), [])


@pytest.mark.parametrize("required", [None, 3])
async def test_a_document_is_read_from_the_named_view(required: int | None) -> None:
    reader, positions = FakeReader(), Positions()
    watcher = Watcher(reader.get, [], positions, max_waiting_reads=1, beat=lambda: None)
    documents = Documents(reader, positions, Consistency(positions, watcher), 1)
    requirement = required and ConsistencyRequirement({SHARD: required}, 0)
    found = [
        await documents.find("products", ID, requirement or None, view)
        for view in (None, "corrections")
    ]
    assert [document.stored for document in found] == [b"primary", b"other"]
