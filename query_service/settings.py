"""The settings of the query service."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS, MAX_PARTITIONS
from shared.http.settings import HttpSettings
from shared.redis.settings import RedisSettings


class QuerySettings(HttpSettings, RedisSettings):
    """Each field is the environment variable of that name in upper case."""

    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=MAX_PARTITIONS)
    max_waiting_reads: int = Field(1000, ge=0)
    """The maximum number of reads that wait for their token's events; further ones get 503."""
    max_waiting_reads_per_caller: int = Field(200, ge=0)
    max_anonymous_waiting_reads: int = Field(100, ge=0)
    max_streams: int = Field(5000, ge=0)
    max_streams_per_caller: int = Field(100, ge=0)
    port: int = Field(8081, ge=0, le=65535)
