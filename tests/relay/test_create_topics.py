"""The command `topics` creates missing topics and reports the unusable ones."""

import pytest

from command_service.relay.errors import TopicsUnusable
from command_service.relay.settings import CreateTopicsSettings
from command_service.relay.topics import create_topics
from tests.relay.harness import Topics
from tests.support.waiting import until


def settings(kafka_bootstrap: str, seconds: float = 30) -> CreateTopicsSettings:
    return CreateTopicsSettings(
        kafka_bootstrap_servers=kafka_bootstrap, wait_timeout_seconds=seconds
    )


async def test_missing_topics_are_created_and_existing_ones_kept(
    topics: Topics, kafka_bootstrap: str
) -> None:
    await create_topics(settings(kafka_bootstrap))

    async def listed() -> bool:  # by a broker, some time after the controller
        return set(await topics.names()) >= {"users", "products", "orders"}

    await until(listed, "the topics are listed", seconds=10)
    await create_topics(settings(kafka_bootstrap))


async def test_a_topic_with_another_partition_count_is_reported(
    topics: Topics, kafka_bootstrap: str
) -> None:
    await topics.create("orders", 5)
    with pytest.raises(TopicsUnusable, match="orders has 5 partitions"):
        await create_topics(settings(kafka_bootstrap, seconds=4))
    await topics.delete_and_wait("orders")


async def test_an_unavailable_kafka_is_reported() -> None:
    with pytest.raises(TopicsUnusable, match=r"^Kafka: |not polled"):
        await create_topics(settings("127.0.0.1:1", seconds=2))
