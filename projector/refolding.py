"""Folds single aggregates from the event log: parked ones, and those with a damaged document."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from projector.projection import Projection
from shared.contracts.ids import parse_id
from shared.contracts.records import Record
from shared.contracts.views import ParkedEntry
from shared.event_log import AggregateLog

_MAX_ROWS: Final = 1000
_MAX_ATTEMPTS: Final = 100


class Refolded(NamedTuple):
    """How many parked events an aggregate had, and the entry that remains."""

    events: int
    remaining: ParkedEntry | None


class Refolding:
    """Rewrites aggregates at the position of the checkpoint, which does not change."""

    def __init__(self, projection: Projection, log: AggregateLog) -> None:
        self._projection = projection
        self._log = log

    async def refold(self, id: str, *, rewrite: bool = False, dry_run: bool = False) -> Refolded:
        """Folds the parked events of an aggregate, up to one that fails.

        `rewrite`: also the events that its document should contain; `dry_run`: writes nothing, and
        considers the first MAX_REFOLDED_ROWS events. Raises what the store and the
        event log raise, and TimeoutError if other processes move the checkpoint all the time.
        """
        rows: list[Record] = []
        events: int | None = None
        for _ in range(_MAX_ATTEMPTS):
            state = await self._projection.load_aggregate(id)
            entry = state.parked.get(id)
            if events is None:
                events = entry.events if entry else 0
            if state.checkpoint is None:
                return Refolded(events, entry)
            position = state.checkpoint.position
            rows = [row for row in rows if row.position <= position]
            rows += await self._read(id, rows[-1].position if rows else 0, position)
            if dry_run:
                return Refolded(events, self._projection.refolded_entry(state, id, rows))
            # A document that is marked as damaged must be rewritten.
            damaged = entry is not None and entry.events == 0
            written, remaining = await self._projection.refold(
                state, id, rows, rewrite=rewrite or damaged
            )
            if not written:
                continue
            rewrite = False
            if remaining is None or entry is None:
                return Refolded(events, remaining)
            if remaining.reason != entry.reason or remaining.first_position == entry.first_position:
                return Refolded(events, remaining)
        raise TimeoutError(f"the checkpoint of {self._projection.shard} moves all the time")

    async def _read(self, id: str, after: int, upto: int) -> Sequence[Record]:
        """All rows of the aggregate; none if the id is not one of Tandem's."""
        if parse_id(id) != id:
            return []
        rows: list[Record] = []
        while True:
            page = await self._log.read_subject(self._projection.shard, id, after, upto, _MAX_ROWS)
            rows += page
            if len(page) < _MAX_ROWS:
                return rows
            after = page[-1].position
