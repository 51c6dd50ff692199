"""Topics that begin missing, a database of the test's own, and relays that end with the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.relay.harness import Events, InProcess, Subprocess, Topics, settings
from tests.support.database import Database

StartRelay = Callable[..., InProcess]
SpawnRelay = Callable[..., Subprocess]


@pytest.fixture
async def events(migrated_database: Database) -> AsyncIterator[Events]:
    events = Events(migrated_database.admin_url)
    await events.connect()
    yield events
    await events.close()


@pytest.fixture
async def topics(kafka_bootstrap: str) -> Topics:
    """Kafka without the three topics."""
    topics = Topics(kafka_bootstrap)
    await topics.delete_and_wait("users", "products", "orders")
    return topics


@pytest.fixture
async def start_relay(
    topics: Topics, migrated_database: Database, kafka_bootstrap: str
) -> AsyncIterator[StartRelay]:
    started: list[InProcess] = []

    def start(**more: Any) -> InProcess:
        started.append(InProcess(settings(migrated_database, kafka_bootstrap, **more)))
        return started[-1]

    yield start
    for relay in started:
        await relay.stop()


@pytest.fixture
async def spawn_relay(
    topics: Topics, migrated_database: Database, kafka_bootstrap: str
) -> AsyncIterator[SpawnRelay]:
    started: list[Subprocess] = []

    def spawn(**more: Any) -> Subprocess:
        started.append(Subprocess(settings(migrated_database, kafka_bootstrap, **more)))
        return started[-1]

    yield spawn
    for relay in started:
        relay.kill()
