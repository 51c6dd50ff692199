"""Names that a batch wants for itself: idempotency keys and emails, by try-locks that never wait.

A batch that waited for another replica's name would hold up every command in it.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b

import asyncpg

from command_service.commands.command import Touched
from command_service.write_store.pending_command import PendingCommand

_CLAIM = """
SELECT name, pg_try_advisory_xact_lock(name) AS taken FROM unnest($1::bigint[]) AS n (name)
"""


@dataclass(frozen=True, slots=True)
class Claims:
    """The names that were free. A name that another transaction holds is in neither set."""

    keys: frozenset[tuple[str, str]]
    emails: frozenset[str]


async def claim(
    connection: asyncpg.Connection, commands: Iterable[PendingCommand], touched: Iterable[Touched]
) -> Claims:
    """Take what is free until the transaction ends. If the process dies, so does the claim."""
    keys = {p.name: _number("key", *p.name) for p in commands if p.name is not None}
    emails = {email: _number("email", email) for t in touched for email in t.emails}
    wanted = {*keys.values(), *emails.values()}
    rows = await connection.fetch(_CLAIM, list(wanted)) if wanted else ()
    taken = {row["name"] for row in rows if row["taken"]}
    return Claims(
        keys=frozenset(name for name, number in keys.items() if number in taken),
        emails=frozenset(email for email, number in emails.items() if number in taken),
    )


def _number(*parts: str) -> int:
    digest = blake2b("\0".join(parts).encode(), digest_size=8).digest()
    return int.from_bytes(digest, signed=True)
