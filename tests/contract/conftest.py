"""All processes of Tandem, on empty servers, once for all of these tests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.contract.client import AllTokens
from tests.contract.running_stack import first_statuses, running_stack
from tests.support.identity import Identity
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.stack import Stack


@pytest.fixture(scope="package")
async def stack(
    postgres: Postgres, kafka: Kafka, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("contract")
    async with running_stack(postgres, kafka, valkey, directory) as stack:
        yield stack


@pytest.fixture(scope="package")
async def client(stack: Stack) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(headers=stack.identity.headers(), timeout=40) as client:
        yield client


@pytest.fixture(scope="package")
async def first_reads(stack: Stack) -> dict[str, int]:
    """The status of each read when every process is ready, before any event."""
    return await first_statuses(stack)


@pytest.fixture
def identity(stack: Stack) -> Identity:
    return stack.identity


@pytest.fixture
def shop(stack: Stack, client: httpx.AsyncClient, first_reads: dict[str, int]) -> AllTokens:
    """A client of both services, with every scope and without a consistency token."""
    return AllTokens(client, stack["command-service"].url, stack["query-service"].url)
