"""All four services over TLS to PostgreSQL, Kafka (with users) and Redis.

Kafka supports TLS. The packaged PostgreSQL and Valkey were built without it, so a proxy in front of
them terminates TLS.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import asyncpg
import httpx
import pytest
from aiokafka.errors import KafkaError
from redis.asyncio import Redis

from deploy.local.ports import free_ports
from shared.kafka.settings import KafkaSettings
from shared.redis.clients import REDIS_ERRORS
from shared.redis.settings import RedisSettings
from tests.secure.secure_kafka import PASSWORD, USER, SecureKafka
from tests.support.certificates import HOST, Certificates
from tests.support.database import Database
from tests.support.identity import Identity
from tests.support.servers import Postgres, Valkey
from tests.support.stack import Stack
from tests.support.tls_proxy import tls_proxy


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def secure_kafka(scratch: Path, certificates: Certificates) -> Iterator[SecureKafka]:
    first, second, third = free_ports(3)
    server = SecureKafka(scratch / "secure-kafka", (first, second, third), certificates)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def secure_ports(
    postgres: Postgres, valkey: Valkey, certificates: Certificates
) -> AsyncIterator[tuple[int, int]]:
    """The TLS ports of PostgreSQL and Redis."""
    context = certificates.server_context()
    async with AsyncExitStack() as proxies:
        yield (
            await proxies.enter_async_context(tls_proxy(postgres.port, context, postgres=True)),
            await proxies.enter_async_context(tls_proxy(valkey.port, context)),
        )


class SecureStack(Stack):
    """Every connection is encrypted and verifies the server."""

    certificates: Certificates
    ports: tuple[int, int]
    secure_servers: str

    def _environment(self, kind: str) -> dict[str, str]:
        found = super()._environment(kind)
        ca = str(self.certificates.ca_file)
        if "DATABASE_URL" in found:
            url = found["DATABASE_URL"].replace(f":{self._postgres()}/", f":{self.ports[0]}/")
            found["DATABASE_URL"] = f"{url}?sslmode=verify-full&sslrootcert={ca}"
        if "REDIS_URL" in found:
            url = found["REDIS_URL"].replace(f":{self.valkey.port}/", f":{self.ports[1]}/")
            found |= {"REDIS_URL": url.replace("redis:", "rediss:"), "REDIS_CA_FILE": ca}
        if "KAFKA_BOOTSTRAP_SERVERS" in found:
            found |= {
                "KAFKA_BOOTSTRAP_SERVERS": self.secure_servers,
                "KAFKA_SECURITY_PROTOCOL": "SASL_SSL",
                "KAFKA_SASL_MECHANISM": "SCRAM-SHA-512" if kind == "relay" else "PLAIN",
                "KAFKA_SASL_USERNAME": USER,
                "KAFKA_SASL_PASSWORD": PASSWORD,
                "KAFKA_CA_FILE": ca,
            }
        return found

    def _postgres(self) -> str:
        return self.database.admin_url.rpartition("/")[0].rpartition(":")[2]


async def test_from_a_command_to_its_view(
    migrated_database: Database,
    secure_kafka: SecureKafka,
    valkey: Valkey,
    certificates: Certificates,
    secure_ports: tuple[int, int],
    tmp_path: Path,
) -> None:
    stack = SecureStack(migrated_database, secure_kafka, valkey, Identity(tmp_path), tmp_path)
    stack.certificates, stack.ports = certificates, secure_ports
    stack.secure_servers = secure_kafka.secure_servers
    async with Redis.from_url(valkey.url()) as redis:
        await redis.flushall()  # an earlier test's views are of another event log
    try:
        for name in ("command-service", "relay", "projector", "query-service"):
            stack.add(name)
        await stack.ready()
        async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=20) as client:
            user = {"name": "Ada", "email": "ada@example.com"}
            created = await client.post(f"{stack['command-service'].url}/v1/users", json=user)
            token = {"Consistency-Token": created.headers["Consistency-Token"], "Prefer": "wait=20"}
            url = f"{stack['query-service'].url}/v1/users/{created.json()['id']}"
            assert (await client.get(url, headers=token)).json()["name"] == "Ada"
    finally:
        stack.stop()


@pytest.mark.parametrize("invalid", ["kafka_ca_file", "kafka_sasl_password"])
async def test_kafka_rejects_another_authority_or_password(
    invalid: str, secure_kafka: SecureKafka, certificates: Certificates
) -> None:
    valid = {
        "port": 0,
        "kafka_bootstrap_servers": secure_kafka.secure_servers,
        "kafka_security_protocol": "SASL_SSL",
        "kafka_sasl_mechanism": "SCRAM-SHA-512",
        "kafka_sasl_username": USER,
        "kafka_sasl_password": PASSWORD,
        "kafka_ca_file": str(certificates.ca_file),
    }
    admin = KafkaSettings.model_validate(valid).kafka().admin("test")
    await admin.start()
    await admin.close()
    others = {"kafka_ca_file": None, "kafka_sasl_password": "another"}
    admin = KafkaSettings.model_validate(valid | {invalid: others[invalid]}).kafka().admin("test")
    with pytest.raises(KafkaError):
        await admin.start()
    await admin.close()


async def test_clients_reject_redis_and_postgresql_with_another_authority(
    postgres: Postgres,
    valkey: Valkey,
    certificates: Certificates,
    secure_ports: tuple[int, int],
    tmp_path: Path,
) -> None:
    another = Certificates(tmp_path).ca_file
    url = valkey.url().replace("redis:", "rediss:").replace(f"{valkey.port}", f"{secure_ports[1]}")
    address = postgres.url(database="postgres").replace(f"{postgres.port}", f"{secure_ports[0]}")
    for trusted, connects in ((certificates.ca_file, True), (another, False)):
        settings = RedisSettings(port=0, redis_url=url, redis_ca_file=str(trusted))
        redis = settings.redis("test")
        tls = f"{address}?sslmode=verify-full&sslrootcert={trusted}"
        if connects:
            assert await redis.ping()
            connection = await asyncpg.connect(tls)
            await connection.close()
        else:
            with pytest.raises(REDIS_ERRORS):
                await redis.ping()
            with pytest.raises(OSError, match="CERTIFICATE_VERIFY_FAILED"):
                await asyncpg.connect(tls)
        await redis.aclose()
    assert HOST in address
