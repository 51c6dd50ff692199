"""The keys and values of views in Redis.

All keys of a shard have the hash tag `{orders.7}`; they are therefore in one slot, and one script
changes them atomically. The projector writes them, the query service reads them; the layout is
private to these two.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

import orjson

MAX_PREFIX_LENGTH: Final = 4
NO_VALUE: Final = "-"
FIRST_GENERATION: Final = "-"
"""The generation whose keys have no infix."""


def checkpoint_key(shard: str) -> str:
    return f"{{{shard}}}:checkpoint"


def head_key(shard: str) -> str:
    return f"{{{shard}}}:head"


def spare_key(shard: str) -> str:
    """The encoded `Spare` of the shard, if there is one."""
    return f"{{{shard}}}:spare"


def sweep_key(shard: str) -> str:
    """`mark name`, as long as keys of generations that are no longer named may exist.

    `name` is the greatest generation that was dropped.
    """
    return f"{{{shard}}}:sweep"


def owner_key(shard: str) -> str:
    """`seen_ms 1,2`: when the shard's owner wrote it, and the shapes that the owner knows."""
    return f"{{{shard}}}:owner"


def parked_key(shard: str) -> str:
    """A JSON object: aggregate id -> the items of `ParkedEntry`, as a list."""
    return f"{{{shard}}}:parked"


def dashboard_key(shard: str) -> str:
    """A JSON object: the shard's part of the dashboard."""
    return f"{{{shard}}}:dashboard"


def document_key(shard: str, id: str) -> str:
    return f"{{{shard}}}:document:{id}"


def history_key(shard: str, id: str, version: int) -> str:
    """One history item, as JSON."""
    return f"{{{shard}}}:history:{id}:{version}"


def ids_key(shard: str) -> str:
    """All users, all active products or all orders of the shard: a sorted set of ids, score 0."""
    return f"{{{shard}}}:ids"


def status_key(shard: str, status: str) -> str:
    """The orders of one status: a sorted set of ids, score 0."""
    return f"{{{shard}}}:status:{status}"


def payment_key(shard: str, status: str) -> str:
    """The orders of one payment status: a sorted set of ids, score 0."""
    return f"{{{shard}}}:payment:{status}"


def customer_key(shard: str, customer_id: str) -> str:
    """The orders of one customer: a sorted set of ids, score 0."""
    return f"{{{shard}}}:customer:{customer_id}"


def prefix_key(shard: str, prefix: str) -> str:
    """Active products with a word that starts with `prefix`: a sorted set of ids, score 0.

    Exists for prefixes of 1 to MAX_PREFIX_LENGTH characters; longer ones are matched in the
    documents.
    """
    return f"{{{shard}}}:prefix:{prefix}"


def view_key(view: str, key: str) -> str:
    """The key of a view that is not its topic's primary one: `{orders.7}:view:NAME:ids`."""
    shard, _, rest = key.partition("}:")
    return f"{shard}}}:view:{view}:{rest}"


def generation_key(generation: str, key: str) -> str:
    """The key in a generation of the shard's views: `{orders.7}:gtp7wfc:ids`."""
    if generation == FIRST_GENERATION:
        return key
    shard, _, rest = key.partition("}:")
    return f"{shard}}}:{generation}:{rest}"


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """Up to which event a generation of a shard's views contains the event log.

    `offset` is the Kafka offset of the last record applied from there (-1: none). While `position`
    is below `target`, the views have lost events that they contained before and must not be read.
    `mark` is new with every write, so that equal bytes describe the same state. Without a mark, the
    first generation has the four words that versions without generations read.
    """

    position: int
    offset: int
    event_id: str
    target: int = 0
    generation: str = FIRST_GENERATION
    shape: int = 1
    mark: str = ""

    def encode(self) -> bytes:
        words = self.words().encode()
        if self.mark or self.generation != FIRST_GENERATION:
            return words
        return b" ".join(words.split(b" ")[:4])

    def words(self) -> str:
        """All words, also those that `encode` omits."""
        return (
            f"{self.position} {self.offset} {self.event_id or NO_VALUE} {self.target} "
            f"{self.generation} {self.shape} {self.mark or NO_VALUE}"
        )

    @classmethod
    def decode(cls, stored: bytes) -> "Checkpoint":
        """Ignores additional words. Raises ValueError."""
        position, offset, event_id, target, *more = stored.decode().split(" ")
        generation, shape, mark = more[:3] if more else (FIRST_GENERATION, "1", NO_VALUE)
        return cls(
            int(position),
            int(offset),
            "" if event_id == NO_VALUE else event_id,
            int(target),
            generation,
            int(shape),
            "" if mark == NO_VALUE else mark,
        )


@dataclass(frozen=True, slots=True)
class Spare:
    """The checkpoint of the generation that is not live.

    `state` is BUILDING, or KEPT if it was live before; `since_ms` is when that state began.
    """

    state: str
    since_ms: int
    checkpoint: Checkpoint

    def encode(self) -> bytes:
        return f"{self.state} {self.since_ms} {self.checkpoint.words()}".encode()

    @classmethod
    def decode(cls, stored: bytes) -> "Spare":
        """Raises ValueError."""
        state, since_ms, words = stored.split(b" ", 2)
        return cls(state.decode(), int(since_ms), Checkpoint.decode(words))


BUILDING: Final = "building"
KEPT: Final = "kept"


def decode_spare(stored: bytes | None) -> Spare | None:
    """None if there is none, or if it is unreadable."""
    try:
        return None if not stored else Spare.decode(stored)
    except ValueError:
        return None


def generation_order(name: str) -> tuple[int, str]:
    """Names are greater if they were given later."""
    return len(name), name


@dataclass(frozen=True, slots=True)
class Head:
    """The last position in the event log, when it was observed, and when the views were last caught
    up with it (Unix ms).
    """

    position: int
    seen_at_ms: int
    caught_up_at_ms: int

    def encode(self) -> bytes:
        return f"{self.position} {self.seen_at_ms} {self.caught_up_at_ms}".encode()

    @classmethod
    def decode(cls, stored: bytes) -> "Head":
        position, seen_at_ms, caught_up_at_ms = stored.split(b" ")
        return cls(int(position), int(seen_at_ms), int(caught_up_at_ms))


def decode_checkpoint(stored: bytes | None) -> Checkpoint | None:
    """None if there is none (None or b""), or if it is unreadable: the position is unknown."""
    if not stored:
        return None
    try:
        return Checkpoint.decode(stored)
    except ValueError:
        return None


def decode_head(stored: bytes | None) -> Head | None:
    """None if there is none, or if it is unreadable."""
    try:
        return None if stored is None else Head.decode(stored)
    except ValueError:
        return None


class ParkedEntry(NamedTuple):
    """The parked events of an aggregate: none (0) if its document is damaged.

    `type`, `reason` (the class of the error) and `since` (the time) are those of the first event;
    earlier versions did not store them.
    """

    first_position: int
    events: int
    type: str = ""
    reason: str = ""
    since: str = ""


def decode_parked(stored: bytes | None) -> dict[str, ParkedEntry]:
    """The entries of `parked_key` by aggregate id. Raises ValueError."""
    if not stored:
        return {}
    try:
        return {id: ParkedEntry(*entry[:5]) for id, entry in orjson.loads(stored).items()}
    except (TypeError, AttributeError) as error:
        raise ValueError("the map of parked aggregates is unreadable") from error


def encode_parked(entries: Mapping[str, ParkedEntry]) -> bytes | None:
    """None if there is none."""
    if not entries:
        return None
    return orjson.dumps({id: list(entry) for id, entry in entries.items()})


def pack_document(version: int, position: int, owner: str | None, body: bytes) -> bytes:
    """The stored form of a document: `version position owner`, a line break, the response body."""
    return f"{version} {position} {owner or NO_VALUE}\n".encode() + body


def unpack_document(stored: bytes) -> tuple[bytes, int, bytes, bytes]:
    """Version (as its digits), position, owner and body of a stored document."""
    front, _, body = stored.partition(b"\n")
    version, position, owner = front.split(b" ")
    return version, int(position), owner, body


def body_of(stored: bytes) -> bytes:
    """The response body of a stored document."""
    return stored.partition(b"\n")[2]
