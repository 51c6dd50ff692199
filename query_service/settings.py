"""What the query service is told by its environment."""

from pydantic import Field

from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.redis.settings import RedisSettings


class QuerySettings(RedisSettings):
    """Each field is the environment variable of that name in upper case."""

    jwks_url: str
    jwt_issuer: str
    jwt_audience: str
    partitions: int = Field(DEFAULT_PARTITIONS, ge=1, le=4096)
    max_waiting_reads: int = Field(1000, ge=0)
    """Reads that may wait for their token's events at once; further ones are refused."""
    rate_limit: int = Field(0, ge=0)
    """Requests a second for each caller; 0 is no limit."""
    port: int = Field(8081, ge=0, le=65535)
