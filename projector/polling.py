"""Polls that are a sign of life, and that get past a record which the client cannot read."""

import logging
from collections.abc import Callable
from typing import Any, Final

from aiokafka import AIOKafkaConsumer, TopicPartition

logger = logging.getLogger(__name__)

_WAIT_MS: Final = 200


class Polling:
    """Stands in for a consumer's `getmany`; calls `answered` after each poll that did not raise.

    A poll ends as soon as there are records. It waits for them longer than FastStream tells it to:
    that sleeps, after a poll without any, for as long as it lets a poll wait.

    A header whose name is no UTF-8 makes the client raise, for ever, in place of all partitions.
    Such a record is none of Tandem's. What is lost with it stands in the log.
    """

    def __init__(self, kafka: AIOKafkaConsumer, answered: Callable[[], None]) -> None:
        self._kafka = kafka
        self._getmany = kafka.getmany
        self._answered = answered
        self._unreadable: dict[TopicPartition, int] = {}

    async def getmany(self, *partitions: TopicPartition, **limits: Any) -> Any:
        """As the client's own. Raises what it raises, KafkaError above all."""
        try:
            records = await self._getmany(*partitions, **limits | {"timeout_ms": _WAIT_MS})
        except UnicodeDecodeError:
            records = await self._one_by_one(limits | {"timeout_ms": 0})
        self._answered()
        return records

    async def _one_by_one(self, limits: dict[str, Any]) -> dict[TopicPartition, Any]:
        found: dict[TopicPartition, Any] = {}
        for partition in self._kafka.assignment() - self._kafka.paused():
            try:
                found |= await self._getmany(partition, **limits)
            except UnicodeDecodeError:
                await self._pass_over(partition)
        return found

    async def _pass_over(self, partition: TopicPartition) -> None:
        """The second time at the same offset: the first time it may stand further on."""
        offset = await self._kafka.position(partition)
        if self._unreadable.get(partition) == offset:
            logger.warning("unreadable record at %d of %s", offset, partition)
            self._kafka.seek(partition, offset + 1)
        self._unreadable[partition] = offset
