"""The projector's settings, from the environment."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS, MAX_PARTITIONS
from shared.kafka.settings import KafkaSettings
from shared.redis.settings import RedisSettings


class CommandSettings(RedisSettings):
    """The settings of the commands other than `run`, which need no Kafka.

    `DATABASE_URL` has a role that reads the event log, `REDIS_URL` one that writes views.
    """

    port: int = Field(default=8200, ge=0, le=65535)
    database_url: str = Field(min_length=1)
    partitions: int = Field(default=DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)


class ProjectorSettings(CommandSettings, KafkaSettings):
    """The settings of `run`."""

    consumer_group: str = Field(default="projector", min_length=1)
    keep_generation_hours: float = Field(default=24.0, ge=0.0, le=8760.0)
    consumer_session_seconds: float = Field(default=10.0, ge=6.0, le=300.0)
