"""Reserves the idempotency keys and emails of a batch by advisory locks, without waiting.

A batch that waited for a name that another replica holds would delay all of its commands.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import asyncpg

from command_service.commands.command import RequiredState
from command_service.write_store.results import CallerKey

_LOCK = """
SELECT number, pg_try_advisory_xact_lock(number) AS locked FROM unnest($1::bigint[]) AS n (number)
"""


@dataclass(frozen=True, slots=True)
class Reservations:
    """The names that this transaction holds; a name that another one holds is in neither set."""

    keys: frozenset[CallerKey]
    emails: frozenset[str]


async def reserve(
    connection: asyncpg.Connection,
    caller_keys: Iterable[CallerKey | None],
    required: Iterable[RequiredState],
) -> Reservations:
    """Reserve what is free until the transaction ends, also if it ends because of a crash."""
    keys = {key: _lock_number("key", *key) for key in caller_keys if key is not None}
    emails = {email: _lock_number("email", email) for state in required for email in state.emails}
    numbers = {*keys.values(), *emails.values()}
    rows = await connection.fetch(_LOCK, list(numbers)) if numbers else ()
    locked = {row["number"] for row in rows if row["locked"]}
    return Reservations(
        keys=frozenset(key for key, number in keys.items() if number in locked),
        emails=frozenset(email for email, number in emails.items() if number in locked),
    )


def _lock_number(*parts: str) -> int:
    digest = blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
