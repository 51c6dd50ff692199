"""The settings of the query service."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS, MAX_PARTITIONS
from shared.redis.settings import RedisSettings


class QuerySettings(RedisSettings):
    """Each field is the environment variable of that name in upper case."""

    jwks_url: str
    jwt_issuer: str
    jwt_audience: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    max_waiting_reads: int = Field(1000, ge=0)
    """The maximum number of reads that wait for their token's events; further ones get 503."""
    rate_limit: int = Field(0, ge=0)
    """The maximum number of requests per second and caller; 0 means no limit."""
    max_streams: int = Field(5000, ge=0)
    max_streams_per_caller: int = Field(100, ge=0)
    port: int = Field(8081, ge=0, le=65535)
