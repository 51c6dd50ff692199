"""The results of commands, and those that are stored under idempotency keys."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final, NamedTuple

import asyncpg

KEY_IN_USE: Final = "idempotency-key-in-use"
KEY_REUSED: Final = "idempotency-key-reused"

_LOAD = """
SELECT a.caller, a.key, a.request, a.id::text, a.version, a.token, a.reason, a.detail
FROM answers AS a
JOIN unnest($1::text[], $2::text[]) AS k (caller, key) ON a.caller = k.caller AND a.key = k.key
"""


class Accepted(NamedTuple):
    """`token` covers all events of the command."""

    id: str
    version: int
    token: str
    replayed: bool = False


class Rejected(NamedTuple):
    """`reason` is the name of a problem."""

    reason: str
    detail: str
    replayed: bool = False


Result = Accepted | Rejected


class CallerKey(NamedTuple):
    """An idempotency key belongs to the caller who sent it."""

    caller: str
    key: str


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result, and the hash of the request that led to it."""

    request_hash: bytes
    result: Result

    def replay(self, request_hash: bytes) -> Result:
        """The result for a later request with the same key."""
        if request_hash == self.request_hash:
            return self.result._replace(replayed=True)
        return Rejected(KEY_REUSED, "the Idempotency-Key was used with another request")


async def load_stored_results(
    connection: asyncpg.Connection, keys: Iterable[CallerKey | None]
) -> dict[CallerKey, StoredResult]:
    """Must be called when the keys are reserved: their results no longer change then."""
    distinct = {key for key in keys if key is not None}
    if not distinct:
        return {}
    rows = await connection.fetch(_LOAD, *zip(*distinct, strict=True))
    return {CallerKey(row["caller"], row["key"]): _stored_result(row) for row in rows}


def _stored_result(row: asyncpg.Record) -> StoredResult:
    if row["reason"] is not None:
        return StoredResult(row["request"], Rejected(row["reason"], row["detail"]))
    return StoredResult(row["request"], Accepted(row["id"], row["version"], row["token"]))
