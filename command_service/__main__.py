"""`python -m command_service {serve,relay,migrate,await-schema,topics}`.

Settings come from the environment.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable
from functools import partial
from typing import TypeVar

import asyncpg
import structlog

from command_service.exceptions import CannotMigrate, SchemaMissing, WrongPartitions
from command_service.schema.await_schema import await_schema
from command_service.schema.migrate import migrate
from command_service.settings import AwaitSettings, MigrateSettings, ServeSettings
from shared.http.jwks import JwksUnreadable
from shared.http.server import CannotListen, run, stop_on_signals
from shared.http.worker import run_worker
from shared.logging_setup import configure_logging
from shared.postgres_sessions import TransactionPooling
from shared.settings import ProcessSettings, load_settings

logger = structlog.get_logger(__name__)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m command_service", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    COMMANDS[parser.parse_args().command]()


def serve() -> None:
    from command_service.main import run as run_service

    _run("command-service", load_settings(ServeSettings), run_service)


def relay() -> None:
    from command_service.relay.main import run as run_relay
    from command_service.relay.settings import RelaySettings

    settings = load_settings(RelaySettings)

    async def run_process(settings: RelaySettings, stop: asyncio.Event) -> None:
        await run_worker(settings, stop, partial(run_relay, settings))

    _run("relay", settings, run_process)


def migrate_database() -> None:
    settings = load_settings(MigrateSettings)
    configure_logging("migrate", settings.log_level, settings.log_format)
    try:
        applied = asyncio.run(migrate(settings.database_url, settings.partitions))
    except (CannotMigrate, OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        sys.exit(f"migrate: {error}")
    for name in applied:
        logger.info("schema_script_applied", script=name)
    if not applied:
        logger.info("schema_up_to_date")


def await_database() -> None:
    settings = load_settings(AwaitSettings)
    try:
        asyncio.run(await_schema(settings.database_url, settings.wait_timeout_seconds))
    except SchemaMissing as error:
        sys.exit(f"await-schema: {error}")


def topics() -> None:
    from command_service.relay.errors import TopicsUnusable
    from command_service.relay.settings import CreateTopicsSettings
    from command_service.relay.topics import create_topics

    settings = load_settings(CreateTopicsSettings)
    configure_logging("topics", settings.log_level, settings.log_format)
    try:
        asyncio.run(create_topics(settings))
    except TopicsUnusable as error:
        sys.exit(f"topics: {error}")


COMMANDS = {
    "serve": serve,
    "relay": relay,
    "migrate": migrate_database,
    "await-schema": await_database,
    "topics": topics,
}


S = TypeVar("S", bound=ProcessSettings)


def _run(
    name: str,
    settings: S,
    process: Callable[[S, asyncio.Event], Awaitable[None]],
) -> None:
    """Run until SIGTERM or SIGINT. An error at start is printed in one line."""
    configure_logging(name, settings.log_level, settings.log_format)

    async def until_stopped() -> None:
        await process(settings, stop_on_signals())

    try:
        run(until_stopped())
    except* (CannotListen, JwksUnreadable, WrongPartitions, TransactionPooling) as group:
        sys.exit(f"{name}: {group.exceptions[0]}")


if __name__ == "__main__":
    main()
