"""Each process's role in PostgreSQL has the rights that it needs, and no others."""

import asyncpg
import pytest

from tests.support.database import Database

APPEND = (
    "SELECT append(ARRAY['users.1'], ARRAY[gen_random_uuid()], ARRAY['x'], "
    "ARRAY[gen_random_uuid()], ARRAY[NULL], ARRAY[now()], ARRAY[NULL], ARRAY['{}'])"
)
ERASE = "SELECT erase(ARRAY[gen_random_uuid()], ARRAY['name'])"
READ_LOG, READ_USERS = "SELECT * FROM log", "SELECT * FROM users"
CHANGE_LOG, DELETE_LOG = "UPDATE log SET type = 'x'", "DELETE FROM log"
MOVE_CURSOR = "UPDATE relay_cursors SET position = 0"
CREATE_TABLE = "CREATE TABLE extra ()"

DENIED = {
    "command_service_url": [READ_LOG, CHANGE_LOG, DELETE_LOG, MOVE_CURSOR, CREATE_TABLE],
    "relay_url": [APPEND, ERASE, READ_USERS, CHANGE_LOG, DELETE_LOG, CREATE_TABLE],
    "log_reader_url": [
        APPEND,
        ERASE,
        READ_USERS,
        CHANGE_LOG,
        DELETE_LOG,
        MOVE_CURSOR,
        CREATE_TABLE,
    ],
}
ALLOWED = {
    "command_service_url": [APPEND, ERASE, READ_USERS],
    "relay_url": [READ_LOG, MOVE_CURSOR],
    "log_reader_url": [READ_LOG],
}


@pytest.mark.parametrize("role", DENIED)
async def test_a_role_has_only_the_rights_that_it_needs(
    migrated_database: Database, role: str
) -> None:
    connection = await asyncpg.connect(getattr(migrated_database, role))
    try:
        for statement in DENIED[role]:
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await connection.execute(statement)
        for statement in ALLOWED[role]:
            await connection.execute(statement)
    finally:
        await connection.close()
