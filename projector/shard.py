"""One shard: takes what Kafka gives, and turns to the log for everything that does not fit."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from shared.contracts.records import Record
from shared.contracts.shards import split_shard
from shared.contracts.views import Checkpoint
from shared.log import Log

from projector.fold import fold
from projector.healing import Fork, Healing
from projector.loaded import Loaded, keys_to_load, unpack
from projector.metrics import Metrics
from projector.store import Store
from projector.views.view import View
from projector.writes import Writes

logger = logging.getLogger(__name__)

FORK_REMINDER_SECONDS: Final = 60.0
Rewind = Callable[[str, int], None]


class Arrival(NamedTuple):
    """A record and the Kafka offset that it stands at."""

    offset: int
    record: Record
