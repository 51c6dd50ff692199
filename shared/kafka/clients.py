"""Factories of Kafka clients. The caller starts and stops them."""

import importlib
import ssl
from dataclasses import dataclass
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient

REQUEST_TIMEOUT_MS: Final = 10_000


def bootstrap_servers(text: str) -> list[str]:
    """The servers in `"a:9092, b:9092"`. Raises ValueError if there is none."""
    servers = [part.strip() for part in text.split(",") if part.strip()]
    if not servers:
        raise ValueError("names no server")
    return servers


def require_fast_records() -> None:
    """Raise ImportError if aiokafka would parse records in Python, which is 20 times slower."""
    importlib.import_module("aiokafka.record._crecords")


@dataclass(frozen=True, slots=True)
class Kafka:
    """The connection to Kafka. The security fields are aiokafka's, with the same names."""

    servers: list[str]
    security_protocol: str = "PLAINTEXT"
    sasl_mechanism: str = "PLAIN"
    sasl_plain_username: str | None = None
    sasl_plain_password: str | None = None
    ssl_context: ssl.SSLContext | None = None

    def options(self, client_id: str) -> dict[str, Any]:
        """Keyword arguments of every aiokafka client."""
        return {
            "bootstrap_servers": self.servers,
            "client_id": client_id,
            "request_timeout_ms": REQUEST_TIMEOUT_MS,
            "security_protocol": self.security_protocol,
            "sasl_mechanism": self.sasl_mechanism,
            "sasl_plain_username": self.sasl_plain_username,
            "sasl_plain_password": self.sasl_plain_password,
            "ssl_context": self.ssl_context,
        }

    def producer(self, client_id: str, **tuning: Any) -> AIOKafkaProducer:
        """An idempotent producer that waits for all in-sync replicas; not started yet."""
        return AIOKafkaProducer(**self.options(client_id), enable_idempotence=True, **tuning)

    def consumer(self, client_id: str, *topics: str, **tuning: Any) -> AIOKafkaConsumer:
        """A consumer without automatic commits; not started yet."""
        return AIOKafkaConsumer(
            *topics, **self.options(client_id), **{"enable_auto_commit": False, **tuning}
        )

    def admin(self, client_id: str) -> AIOKafkaAdminClient:
        """An admin client; not started yet, stopped with `close`."""
        return AIOKafkaAdminClient(**self.options(client_id))
