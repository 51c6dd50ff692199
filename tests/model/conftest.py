"""A stack for the tests of this folder, and a client of it."""

from collections.abc import AsyncIterator, Iterator

import pytest

from tests.contract.running_stack import first_statuses, running_stack
from tests.model.tandem import Tandem
from tests.support.servers import Kafka, Postgres, Valkey
from tests.support.stack import Stack


@pytest.fixture(scope="package")
async def stack(
    postgres: Postgres, kafka: Kafka, valkey: Valkey, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[Stack]:
    directory = tmp_path_factory.mktemp("model")
    async with running_stack(postgres, kafka, valkey, directory) as stack:
        await first_statuses(stack)
        yield stack


@pytest.fixture
def tandem(stack: Stack) -> Iterator[Tandem]:
    tandem = Tandem(stack)
    yield tandem
    tandem.close()
