"""Creates a database for a test from a migrated template within milliseconds."""

import secrets
from dataclasses import dataclass

import asyncpg

from command_service.schema.migrate import migrate
from deploy.local.roles import create_roles
from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.support.servers import Postgres


@dataclass(frozen=True, slots=True)
class Database:
    """The URLs of one database, by role."""

    admin_url: str
    migrations_url: str
    command_service_url: str
    relay_url: str
    log_reader_url: str

    @classmethod
    def of(cls, server: Postgres, name: str) -> "Database":
        return cls(
            admin_url=server.url(database=name),
            migrations_url=server.url("tandem_migrations", database=name),
            command_service_url=server.url("tandem_command_service", database=name),
            relay_url=server.url("tandem_relay", database=name),
            log_reader_url=server.url("tandem_log_reader", database=name),
        )


TEMPLATE = "tandem_template"


async def make_template(server: Postgres, passwords: dict[str, str]) -> None:
    """Creates the template of all test databases, with roles and schema."""
    await create_roles(server.url(database=TEMPLATE), passwords)
    await migrate(server.url("tandem_migrations", database=TEMPLATE), DEFAULT_PARTITIONS)


async def make_database(server: Postgres) -> Database:
    """A new copy of the template."""
    name = f"tandem_{secrets.token_hex(6)}"
    connection = await asyncpg.connect(server.url(database="postgres"))
    try:
        await connection.execute(f'CREATE DATABASE "{name}" TEMPLATE {TEMPLATE}')
    finally:
        await connection.close()
    return Database.of(server, name)
