"""The settings of the command service, read from the environment."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS, MAX_PARTITIONS
from shared.http.settings import HttpSettings
from shared.settings import ProcessSettings


class ServeSettings(HttpSettings):
    """`serve`. Each field is the environment variable of the same name in upper case."""

    database_url: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    max_concurrent_batches: int = Field(2, ge=1, le=16)
    max_batch_size: int = Field(64, ge=1, le=1000)
    max_queue_depth: int = Field(2000, ge=1)
    idempotency_retention_hours: int = Field(48, ge=24)
    port: int = Field(8080, ge=0, le=65535)


class MigrateSettings(ProcessSettings):
    """`migrate`, with the role that owns the schema."""

    database_url: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    port: int = 0


class AwaitSettings(ProcessSettings):
    """`await-schema`, with any of the roles: each can read which scripts were applied."""

    database_url: str
    wait_timeout_seconds: float = Field(300, gt=0)
    port: int = 0
