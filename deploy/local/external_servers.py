"""Servers that the person already has: their URL is set, so they are used and not started."""

import asyncio
from collections.abc import Mapping
from urllib.parse import urlsplit

import asyncpg
import redis
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.errors import KafkaError

from deploy.local.errors import StackError
from deploy.local.home import Home

SERVER_OF = {
    "DATABASE_URL": "postgres",
    "KAFKA_BOOTSTRAP_SERVERS": "kafka",
    "REDIS_URL": "redis",
}


def find_external_servers(home: Home, environ: Mapping[str, str]) -> dict[str, str]:
    """The URLs, by setting, of servers that are not ours.

    A setting that holds what `.tandem/env` holds comes from that file: it means what it meant when
    the file was written.
    """
    written = read_env(home)
    before: dict[str, str] = home.load_state()["used"]
    used = {}
    for setting in SERVER_OF:
        value = environ.get(setting, "").strip()
        if value and (value != written.get(setting) or before.get(setting) == value):
            used[setting] = value
    return used


def read_env(home: Home) -> dict[str, str]:
    if not home.env.exists():
        return {}
    lines = home.env.read_text().splitlines()
    pairs = [line.removeprefix("export ").partition("=") for line in lines if "=" in line]
    return {name: value.strip("'") for name, _, value in pairs}


def check_external_servers(used: Mapping[str, str]) -> None:
    """Raises StackError, naming the setting, for the first one that does not answer."""
    checks = {"DATABASE_URL": _ask_postgres, "KAFKA_BOOTSTRAP_SERVERS": _ask_kafka}
    for setting, url in used.items():
        try:
            if setting == "REDIS_URL":
                _ask_redis(url)
            else:
                asyncio.run(asyncio.wait_for(checks[setting](url), 15))
        except Exception as error:  # their clients raise a dozen kinds, all of which mean this
            raise StackError(
                f"{setting} is set, but {without_password(url)} does not answer "
                f"({_reason(error)}); start that server, or unset {setting} to have one started"
            ) from error


def without_password(url: str) -> str:
    """Host and port only: what may be shown."""
    return urlsplit(url).netloc.rpartition("@")[2] if "://" in url else url


async def _ask_postgres(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except asyncpg.InvalidCatalogNameError:
        return  # it answers; the database is made later
    await connection.close(timeout=5)


async def _ask_kafka(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","), request_timeout_ms=5000)
    try:
        await admin.start()
    finally:
        await admin.close()


def _ask_redis(url: str) -> None:
    """Of a cluster, the first of the nodes that it names."""
    first = url.partition(",")[0]
    with redis.Redis.from_url(first, socket_timeout=5, socket_connect_timeout=5) as client:
        client.ping()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, KafkaError):
        return "no broker answers"
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
