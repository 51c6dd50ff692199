"""The settings of the relay. Each field is the environment variable of that name in upper case."""

from typing import Final

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS, MAX_PARTITIONS
from shared.kafka.settings import KafkaSettings

DAY_MS: Final = 24 * 3600 * 1000


class TopicSettings(KafkaSettings):
    """The configuration of missing topics.

    REPLICATION_FACTOR (-1) and MIN_INSYNC_REPLICAS (unset): the defaults of the brokers.
    RETENTION_MS: the retention of topics with personal data; `products` is kept indefinitely.
    """

    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    retention_ms: int = Field(7 * DAY_MS, ge=1000)
    segment_ms: int = Field(DAY_MS, ge=1000)
    replication_factor: int = Field(-1, ge=-1, le=100)
    min_insync_replicas: int | None = Field(None, ge=1, le=100)


class CreateTopicsSettings(TopicSettings):
    """The settings of `topics`. WAIT_TIMEOUT_SECONDS: the timeout of all attempts together."""

    wait_timeout_seconds: float = Field(300, gt=0)
    port: int = 0


class RelaySettings(TopicSettings):
    """The settings of `relay`. LEASE_SECONDS: the time after which a dead relay's leases expire."""

    database_url: str
    lease_seconds: float = Field(10, ge=1, le=600)
    reconcile_interval_seconds: float = Field(10, ge=0.1, le=60)
    port: int = Field(8100, ge=0, le=65535)
