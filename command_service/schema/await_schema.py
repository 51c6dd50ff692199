"""`python -m command_service await-schema`: returns once the database has this version's schema.

What runs before a process in a deployment: processes never migrate, they wait for who does.
"""

import asyncio
from typing import Final

import asyncpg

from command_service.schema.migrate import missing

_PAUSE_SECONDS: Final = 1.0
_AWAY: Final = (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)


class SchemaMissing(Exception):
    """What was still missing when the time was up, in one line."""


async def await_schema(database_url: str, seconds: float) -> None:
    """Raises SchemaMissing after so many seconds. The database may be away until then."""
    reason = "the database was not asked yet"
    try:
        async with asyncio.timeout(seconds):
            while True:
                try:
                    lacking = await missing(database_url)
                except _AWAY as error:
                    reason = f"the database does not answer: {type(error).__name__}"
                else:
                    if not lacking:
                        return
                    reason = f"the database lacks {', '.join(lacking)}"
                await asyncio.sleep(_PAUSE_SECONDS)
    except TimeoutError:
        raise SchemaMissing(reason) from None
