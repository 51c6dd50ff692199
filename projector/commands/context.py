"""What the commands have in common: their connections, and the shards that they are given."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass

from prometheus_client import CollectorRegistry

from projector.commands.output import Output
from projector.connections import open_event_log, open_store
from projector.metrics import Metrics
from projector.projection import Projection
from projector.settings import CommandSettings
from projector.store import Store
from projector.views.registry import SHAPES, Shapes
from shared.contracts.shards import all_shards, split_shard
from shared.event_log import PostgresEventLog

_CONNECTIONS = 2


class UsageError(Exception):
    """A wrong argument; the message is for the operator."""


@dataclass(frozen=True, slots=True)
class CommandContext:
    """The servers and the output of one command."""

    settings: CommandSettings
    store: Store
    log: PostgresEventLog
    output: Output
    metrics: Metrics

    def shards(self, names: Sequence[str]) -> list[str]:
        """These shards, or all. Raises UsageError for an unknown one."""
        shards = all_shards(self.settings.partitions)
        if unknown := set(names) - set(shards):
            raise UsageError(f"no such shard: {', '.join(sorted(unknown))}")
        return list(names) or shards

    def projection(self, shard: str) -> Projection:
        """The live views of the shard."""
        return Projection(shard, self.shapes(shard), self.store, self.metrics)

    def shapes(self, shard: str) -> Shapes:
        return SHAPES[split_shard(shard)[0]]


@asynccontextmanager
async def open_context(settings: CommandSettings, output: Output) -> AsyncIterator[CommandContext]:
    event_log = open_event_log(settings.database_url, _CONNECTIONS)
    async with event_log as log, open_store(settings) as store:
        yield CommandContext(settings, store, log, output, Metrics(CollectorRegistry()))
