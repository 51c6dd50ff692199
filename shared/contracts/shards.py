"""A shard is a partition of a topic, such as `orders.7`: the unit of ordering and of views."""

from typing import Final, Literal

from shared.contracts.ids import placement

Topic = Literal["users", "products", "orders"]
TOPICS: Final[tuple[Topic, ...]] = ("users", "products", "orders")
DEFAULT_PARTITIONS: Final = 12
MAX_PARTITIONS: Final = 128
"""A token of all shards then has at most 8 kB, which servers and proxies accept in a header."""


def shard_name(topic: str, partition: int) -> str:
    return f"{topic}.{partition}"


def shard_of(topic: Topic, id: str, partitions: int) -> str:
    """The shard that holds an aggregate."""
    return f"{topic}.{placement(id) % partitions}"


def split_shard(shard: str) -> tuple[str, int]:
    """The topic and the partition of a shard's name."""
    topic, _, partition = shard.partition(".")
    return topic, int(partition)


def shards_of_topic(topic: Topic, partitions: int) -> list[str]:
    return [shard_name(topic, partition) for partition in range(partitions)]


def all_shards(partitions: int) -> list[str]:
    return [shard for topic in TOPICS for shard in shards_of_topic(topic, partitions)]
