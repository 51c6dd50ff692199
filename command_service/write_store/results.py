"""What a command is answered with, and the answers that idempotency keys give again."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import asyncpg

from command_service.write_store.pending_command import PendingCommand

KEY_IN_USE: Final = "idempotency-key-in-use"
KEY_REUSED: Final = "idempotency-key-reused"

_RECALL = """
SELECT a.caller, a.key, a.request, a.id::text, a.version, a.token, a.reason, a.detail
FROM answers AS a
JOIN unnest($1::text[], $2::text[]) AS k (caller, key) ON a.caller = k.caller AND a.key = k.key
"""


class Accepted(NamedTuple):
    """`token` stands for all of the command's events."""

    id: str
    version: int
    token: str
    replayed: bool = False


class Rejected(NamedTuple):
    """`reason` is the name of a problem."""

    reason: str
    detail: str
    replayed: bool = False


Answer = Accepted | Rejected


@dataclass(frozen=True, slots=True)
class Stored:
    """An answer, and the request that it was given to."""

    request: bytes
    answer: Answer

    def answer_to(self, pending: PendingCommand) -> Answer:
        if pending.request == self.request:
            return self.answer._replace(replayed=True)
        return Rejected(KEY_REUSED, "the Idempotency-Key was used with another request")


async def recall(
    connection: asyncpg.Connection, commands: Iterable[PendingCommand]
) -> dict[tuple[str, str], Stored]:
    """The stored answers, by caller and key. Read once the keys' locks are held."""
    keys = {pending.name for pending in commands if pending.name is not None}
    if not keys:
        return {}
    callers, names = zip(*keys, strict=True)
    rows = await connection.fetch(_RECALL, callers, names)
    return {(row["caller"], row["key"]): _stored(row) for row in rows}


def _stored(row: asyncpg.Record) -> Stored:
    if row["reason"] is not None:
        return Stored(row["request"], Rejected(row["reason"], row["detail"]))
    return Stored(row["request"], Accepted(row["id"], row["version"], row["token"]))
