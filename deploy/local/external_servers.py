"""Servers that the user runs: if their URL is set, `make up` uses them instead of starting them."""

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
    """The URLs of external servers, by setting.

    A value that equals the one in `.tandem/env` was read from that file, so it keeps its meaning
    from the time when the file was written.
    """
    written = read_env(home)
    previous: dict[str, str] = home.load_state()["external"]
    external = {}
    for setting in SERVER_OF:
        value = environ.get(setting, "").strip()
        if value and (value != written.get(setting) or previous.get(setting) == value):
            external[setting] = value
    return external


def read_env(home: Home) -> dict[str, str]:
    if not home.env.exists():
        return {}
    lines = home.env.read_text().splitlines()
    pairs = [line.removeprefix("export ").partition("=") for line in lines if "=" in line]
    return {name: value.strip("'") for name, _, value in pairs}


def check_external_servers(external: Mapping[str, str]) -> None:
    """Raises StackError with the setting's name for the first server that does not respond."""
    checks = {"DATABASE_URL": _connect_postgres, "KAFKA_BOOTSTRAP_SERVERS": _connect_kafka}
    for setting, url in external.items():
        try:
            if setting == "REDIS_URL":
                _ping_redis(url)
            else:
                asyncio.run(asyncio.wait_for(checks[setting](url), 15))
        except Exception as error:  # the clients raise a dozen types with the same meaning
            raise StackError(
                f"{setting} is set, but {without_password(url)} does not respond "
                f"({_reason(error)}); start that server, or unset {setting} to have one started"
            ) from error


def without_password(url: str) -> str:
    """Host and port only, for messages."""
    return urlsplit(url).netloc.rpartition("@")[2] if "://" in url else url


async def _connect_postgres(url: str) -> None:
    try:
        connection = await asyncpg.connect(url, timeout=10)
    except asyncpg.InvalidCatalogNameError:
        return  # the server responds; the database is created later
    await connection.close(timeout=5)


async def _connect_kafka(servers: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=servers.split(","), request_timeout_ms=5000)
    try:
        await admin.start()
    finally:
        await admin.close()


def _ping_redis(url: str) -> None:
    """If the URL names several nodes of a cluster, the first one."""
    first = url.partition(",")[0]
    with redis.Redis.from_url(first, socket_timeout=5, socket_connect_timeout=5) as client:
        client.ping()


def _reason(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "timeout"
    if isinstance(error, KafkaError):
        return "no broker responds"
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
