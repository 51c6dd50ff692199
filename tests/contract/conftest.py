"""The whole of Tandem, on servers that begin empty, once for all of these tests."""

from collections.abc import AsyncIterator

import httpx
import pytest

from tests.contract.client import AllTokens
from tests.contract.whole import first_answers, running_stack
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
    """What reads answered as soon as every process said that it was ready, before any event."""
    return await first_answers(stack)


@pytest.fixture
def identity(stack: Stack) -> Identity:
    return stack.identity


@pytest.fixture
def shop(stack: Stack, client: httpx.AsyncClient, first_reads: dict[str, int]) -> AllTokens:
    """A client of both services that may do everything and holds no token yet."""
    return AllTokens(client, stack["command-service"].url, stack["query-service"].url)
