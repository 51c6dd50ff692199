"""What the command service is told by its environment."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.settings import ProcessSettings


class ServeSettings(ProcessSettings):
    """`serve`. Each field is the environment variable of that name in upper case."""

    database_url: str
    jwks_url: str
    jwt_issuer: str
    jwt_audience: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=4096)
    lanes: int = Field(2, ge=1, le=16)
    most_per_batch: int = Field(64, ge=1, le=1000)
    most_waiting: int = Field(2000, ge=1)
    rate_limit: int = Field(0, ge=0)
    """Requests a second for each caller; 0 is no limit."""
    keep_answers_hours: int = Field(48, ge=24)
    port: int = Field(8080, ge=0, le=65535)


class MigrateSettings(ProcessSettings):
    """`migrate`, with the role that owns the schema."""

    database_url: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=4096)
    port: int = 0


class AwaitSettings(ProcessSettings):
    """`await-schema`, with any of the roles: all may see which migrations were applied."""

    database_url: str
    await_seconds: float = Field(300, gt=0)
    port: int = 0
