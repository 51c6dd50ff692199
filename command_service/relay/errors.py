"""The exceptions of the relay, and how it reacts to each of them.

| exception | meaning | reaction |
|---|---|---|
| `NotOwner` | another relay owns the shard, or it is halted | the shard's loop ends |
| `LogDivergence` (`shared.event_log`) | Kafka has an event that the event log lacks | the shard is halted in PostgreSQL until an operator sets `halted` to null |
| `UnknownTopicOrPartitionError` (aiokafka) | the topic is missing, or its partitions differ | the topics are polled at once; then as for a transient error |
| `EmptyFetch` | Kafka returned no record of an offset in range | as for a transient error |
| `PartitionChanged` | the topic was recreated, or lost records, during a reconciliation | as for a transient error |
| `TRANSIENT_ERRORS` | Kafka or PostgreSQL is unavailable | logged with its type; backoff, then the shard is reconciled |
| any other exception of a shard | a defect | logged with its traceback; backoff, then the shard is reconciled |
| any exception of a background job | a lost connection, or a defect | logged, counted; the job is started again with backoff |
| `ShardCountMismatch` | PARTITIONS differs from the migrated schema | all shards are released; the relay is not ready |
| `TopicsUnusable` | `topics` reached its timeout | the process exits with the reason |
"""  # noqa: E501

from typing import Final

import asyncpg
from aiokafka.errors import KafkaError

TRANSIENT_ERRORS: Final = (KafkaError, OSError, asyncpg.PostgresError, asyncpg.InterfaceError)


class NotOwner(Exception):
    """The shard belongs to another relay, or is halted. Nothing was written."""


class EmptyFetch(KafkaError):  # type: ignore[misc]
    """Kafka returned no record of an offset that is in range."""

    retriable = True


class PartitionChanged(KafkaError):  # type: ignore[misc]
    """The topic was recreated, or lost records, during a reconciliation. Nothing was written."""

    retriable = True


class ShardCountMismatch(Exception):
    """PARTITIONS differs from the migrated schema, or no migration was applied yet."""


class TopicsUnusable(Exception):
    """The reasons, in one line."""
