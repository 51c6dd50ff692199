"""How long the oldest event waits that was not published yet."""

from collections.abc import Mapping

import asyncpg

_OLDEST = """
SELECT coalesce(max(extract(epoch FROM clock_timestamp() - l.time)), 0)::float8
FROM unnest($1::text[], $2::bigint[]) AS sent (shard, position)
JOIN log AS l ON l.shard = sent.shard AND l.position = sent.position + 1
"""


async def oldest_age(pool: "asyncpg.Pool[asyncpg.Record]", published: Mapping[str, int]) -> float:
    """Seconds since the oldest event past these positions happened; 0 where there is none."""
    if not published:
        return 0.0
    age = await pool.fetchval(_OLDEST, list(published), list(published.values()))
    return max(0.0, float(age))
