"""The settings of Redis and Redis Cluster. Errors name combinations that are not valid."""

from typing import Any

from pydantic import Field, field_validator, model_validator
from redis.asyncio import Redis

from shared.redis.clients import nodes_of, redis_client, redis_cluster
from shared.redis.cluster import Cluster
from shared.settings import ProcessSettings, require_exactly_when
from shared.tls import server_verifying_context


class RedisSettings(ProcessSettings):
    """The connection to Redis. Each field is the environment variable of that name in upper case.

    REDIS_URL: `redis://user:password@host:port/0`, or `rediss://` for TLS; with REDIS_CLUSTER, one
    or several nodes of the cluster: `…@host:port,host:port/0`.
    """

    redis_url: str = Field(min_length=1)
    redis_cluster: bool = False
    redis_ca_file: str | None = None

    @field_validator("redis_cluster", mode="before")
    @classmethod
    def _accept_number_of_primaries(cls, value: object) -> object:
        """`make up` sets the number of primaries; any but 0 means a cluster."""
        return value != "0" if isinstance(value, str) and value.isdigit() else value

    @field_validator("redis_url")
    @classmethod
    def _validate_nodes(cls, url: str) -> str:
        nodes_of(url)
        return url

    @model_validator(mode="after")
    def _validate_redis(self) -> "RedisSettings":
        if len(nodes_of(self.redis_url)) > 1 and not self.redis_cluster:
            raise ValueError("REDIS_CLUSTER: must be true if REDIS_URL names several nodes")
        if self.redis_ca_file:
            require_exactly_when(
                self, "redis_ca_file", self.redis_url.startswith("rediss:"), "redis://"
            )
            server_verifying_context("REDIS_CA_FILE", self.redis_ca_file)
        return self

    def redis(self, name: str, **options: Any) -> Redis:
        return redis_client(self.redis_url, name, ca_file=self.redis_ca_file, **options)

    def cluster(self, name: str, **options: Any) -> Cluster:
        return redis_cluster(self.redis_url, name, ca_file=self.redis_ca_file, **options)
