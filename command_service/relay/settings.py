"""What the relay is told by its environment."""

from typing import Final

from pydantic import Field, field_validator

from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.kafka import bootstrap_servers
from shared.settings import ProcessSettings

DAY_MS: Final = 24 * 3600 * 1000


class TopicSettings(ProcessSettings):
    """What missing topics are made with.

    RETENTION_MS is for the topics that carry personal data; `products` is kept for ever.
    """

    kafka_bootstrap_servers: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=4096)
    retention_ms: int = Field(7 * DAY_MS, ge=1000)
    segment_ms: int = Field(DAY_MS, ge=1000)
    replication_factor: int = Field(-1, ge=-1, le=100)

    @field_validator("kafka_bootstrap_servers")
    @classmethod
    def _names_servers(cls, text: str) -> str:
        bootstrap_servers(text)
        return text


class MakeTopicsSettings(TopicSettings):
    """`topics`, which tries for so many seconds."""

    await_seconds: float = Field(300, gt=0)
    port: int = 0


class RelaySettings(TopicSettings):
    """`relay`. Each field is the environment variable of that name in upper case.

    LEASE_SECONDS: for so long a dead relay's shards rest before another one takes them.
    """

    database_url: str
    lease_seconds: float = Field(10, ge=1, le=600)
    check_seconds: float = Field(10, ge=0.1, le=60)
    port: int = Field(8081, ge=0, le=65535)
