"""The command that sets the topics up makes what is missing, and says what is wrong."""

import pytest

from command_service.relay.create_topics import TopicsMissing, make_topics
from command_service.relay.settings import MakeTopicsSettings
from tests.relay.harness import Topics
from tests.support.waiting import until


def settings(kafka_bootstrap: str, seconds: float = 30) -> MakeTopicsSettings:
    return MakeTopicsSettings(kafka_bootstrap_servers=kafka_bootstrap, wait_timeout_seconds=seconds)


async def test_missing_topics_are_made_and_present_ones_left(
    topics: Topics, kafka_bootstrap: str
) -> None:
    await make_topics(settings(kafka_bootstrap))

    async def listed() -> bool:  # by a broker, which hears of it from the controller
        return set(await topics.names()) >= {"users", "products", "orders"}

    await until(listed, "the topics are listed", seconds=10)
    await make_topics(settings(kafka_bootstrap))


async def test_a_topic_with_other_partitions_is_told(topics: Topics, kafka_bootstrap: str) -> None:
    await topics.create("orders", 5)
    with pytest.raises(TopicsMissing, match="orders has 5 partitions"):
        await make_topics(settings(kafka_bootstrap, seconds=4))
    await topics.delete_and_wait("orders")


async def test_a_kafka_that_is_away_is_told() -> None:
    with pytest.raises(TopicsMissing, match=r"^Kafka: |not seen"):
        await make_topics(settings("127.0.0.1:1", seconds=2))
