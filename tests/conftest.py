"""Real servers for the test session, on free ports, so that a local stack can run too."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from deploy.local.ports import free_ports
from deploy.local.secrets import new_passwords
from tests.support.database import Database, make_database, make_template
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Kafka, Postgres, Valkey


@pytest.fixture(scope="session")
def scratch() -> Iterator[Path]:
    """A directory that is deleted after the session, unless TANDEM_KEEP_TEST_DATA is set."""
    directory = Path(tempfile.mkdtemp(prefix="tandem-tests-"))
    yield directory
    if "TANDEM_KEEP_TEST_DATA" not in os.environ:
        shutil.rmtree(directory, ignore_errors=True)


@pytest.fixture(scope="session")
def passwords() -> dict[str, str]:
    return new_passwords()


@pytest.fixture(scope="session")
def postgres(scratch: Path, passwords: dict[str, str]) -> Iterator[Postgres]:
    server = Postgres(scratch / "postgres", free_ports(1)[0], passwords)
    server.start()
    asyncio.run(make_template(server, passwords))
    yield server
    server.stop()


@pytest.fixture(scope="session")
def valkey(scratch: Path, passwords: dict[str, str]) -> Iterator[Valkey]:
    server = Valkey(scratch / "valkey", free_ports(1)[0], passwords)
    server.start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def redis_nodes(scratch: Path, passwords: dict[str, str]) -> Iterator[RedisNodes]:
    """A Redis Cluster of three primaries with replicas; tests restore it after each fault."""
    nodes = RedisNodes(scratch / "redis-cluster", 3, passwords)
    nodes.start()
    yield nodes
    nodes.stop()


@pytest.fixture(scope="session")
def kafka(scratch: Path) -> Iterator[Kafka]:
    port, controller_port = free_ports(2)
    server = Kafka(scratch / "kafka", port, controller_port)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def migrated_database(postgres: Postgres) -> Database:
    """A new database per test."""
    return await make_database(postgres)


@pytest.fixture
def kafka_bootstrap(kafka: Kafka) -> str:
    return kafka.bootstrap_servers


@pytest.fixture
def redis_url(valkey: Valkey) -> str:
    """The URL with administrator rights."""
    return valkey.url()


@pytest.fixture
def redis_projector_url(valkey: Valkey) -> str:
    return valkey.url("tandem_projector")
