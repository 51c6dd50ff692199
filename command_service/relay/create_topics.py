"""`python -m command_service topics`: returns once all topics are there, as the settings have them.

It needs the right to create topics; a relay that starts after it does not.
"""

import asyncio
from typing import Final

from aiokafka.errors import KafkaError

from command_service.relay.settings import MakeTopicsSettings
from command_service.relay.topics import Topics

_PAUSE_SECONDS: Final = 1.0


class TopicsMissing(Exception):
    """What was wrong with the topics when the time was up, in one line."""


async def make_topics(settings: MakeTopicsSettings) -> None:
    """Makes what is missing, and leaves what is there. Raises TopicsMissing when time is up.

    Kafka may be away until then. A crash leaves some of the topics; the next run makes the rest.
    """
    topics = Topics(settings.kafka(), settings)
    reason = topics.not_ready()
    try:
        async with asyncio.timeout(settings.wait_timeout_seconds):
            while reason is not None:
                try:
                    await topics.look()
                    reason = topics.not_ready()
                except (KafkaError, OSError, TimeoutError) as error:
                    reason = f"Kafka: {type(error).__name__}"
                if reason is not None:
                    await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise TopicsMissing(reason) from None
