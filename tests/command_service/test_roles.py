"""Each process's role in PostgreSQL may do what its job needs, and no more."""

import asyncpg
import pytest

from tests.support.database import Database

APPEND = (
    "SELECT append(ARRAY['users.1'], ARRAY[gen_random_uuid()], ARRAY['x'], "
    "ARRAY[gen_random_uuid()], ARRAY[NULL], ARRAY[now()], ARRAY[NULL], ARRAY['{}'])"
)
ERASE = "SELECT erase(ARRAY[gen_random_uuid()], ARRAY['name'])"
READ_LOG, READ_USERS = "SELECT * FROM log", "SELECT * FROM users"
CHANGE_LOG, DROP_LOG = "UPDATE log SET type = 'x'", "DELETE FROM log"
MOVE_CURSOR = "UPDATE relay_cursors SET position = 0"
MAKE_TABLE = "CREATE TABLE mine ()"

DENIED = {
    "command_service_url": [READ_LOG, CHANGE_LOG, DROP_LOG, MOVE_CURSOR, MAKE_TABLE],
    "relay_url": [APPEND, ERASE, READ_USERS, CHANGE_LOG, DROP_LOG, MAKE_TABLE],
    "log_reader_url": [APPEND, ERASE, READ_USERS, CHANGE_LOG, DROP_LOG, MOVE_CURSOR, MAKE_TABLE],
}
ALLOWED = {
    "command_service_url": [APPEND, ERASE, READ_USERS],
    "relay_url": [READ_LOG, MOVE_CURSOR],
    "log_reader_url": [READ_LOG],
}


@pytest.mark.parametrize("role", DENIED)
async def test_a_role_is_denied_what_is_not_its_job(migrated_database: Database, role: str) -> None:
    connection = await asyncpg.connect(getattr(migrated_database, role))
    try:
        for statement in DENIED[role]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        for statement in ALLOWED[role]:
            await connection.execute(statement)
    finally:
        await connection.close()
