"""Deleted topics, an empty database, and relays that are stopped after the test."""

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.relay.harness import Events, InProcessRelay, RelayProcess, Topics, settings
from tests.support.database import Database

StartRelay = Callable[..., InProcessRelay]
SpawnRelay = Callable[..., RelayProcess]


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
    started: list[InProcessRelay] = []

    def start(**overrides: Any) -> InProcessRelay:
        started.append(InProcessRelay(settings(migrated_database, kafka_bootstrap, **overrides)))
        return started[-1]

    yield start
    for relay in started:
        await relay.stop()


@pytest.fixture
async def spawn_relay(
    topics: Topics, migrated_database: Database, kafka_bootstrap: str
) -> AsyncIterator[SpawnRelay]:
    started: list[RelayProcess] = []

    def spawn(**overrides: Any) -> RelayProcess:
        started.append(RelayProcess(settings(migrated_database, kafka_bootstrap, **overrides)))
        return started[-1]

    yield spawn
    for relay in started:
        relay.kill()
