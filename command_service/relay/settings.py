"""What the relay is told by its environment."""

from typing import Final

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.kafka.settings import KafkaSettings

DAY_MS: Final = 24 * 3600 * 1000


class TopicSettings(KafkaSettings):
    """What missing topics are made with.

    REPLICATION_FACTOR and MIN_INSYNC_REPLICAS: unset (-1 for the first), the brokers' defaults
    hold.
    RETENTION_MS is for the topics that carry personal data; `products` is kept for ever.
    """

    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=4096)
    retention_ms: int = Field(7 * DAY_MS, ge=1000)
    segment_ms: int = Field(DAY_MS, ge=1000)
    replication_factor: int = Field(-1, ge=-1, le=100)
    min_insync_replicas: int | None = Field(None, ge=1, le=100)


class MakeTopicsSettings(TopicSettings):
    """`topics`, which tries for so many seconds."""

    wait_timeout_seconds: float = Field(300, gt=0)
    port: int = 0


class RelaySettings(TopicSettings):
    """`relay`. Each field is the environment variable of that name in upper case.

    LEASE_SECONDS: for so long a dead relay's shards rest before another one takes them.
    """

    database_url: str
    lease_seconds: float = Field(10, ge=1, le=600)
    reconcile_interval_seconds: float = Field(10, ge=0.1, le=60)
    port: int = Field(8100, ge=0, le=65535)
