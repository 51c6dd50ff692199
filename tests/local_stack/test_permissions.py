"""The permissions of the PostgreSQL roles and the Redis users."""

from collections.abc import Iterator

import asyncpg
import pytest
import redis

from deploy.local.redis_users import set_users
from deploy.local.roles import create_roles, url_for
from deploy.local.secrets import POSTGRES_ROLES, REDIS_ROLES
from tests.support.servers import Postgres, Valkey


@pytest.fixture(scope="module")
async def admin_url(postgres: Postgres, passwords: dict[str, str]) -> str:
    """The administrator's URL of a database that `create_roles` created."""
    url = postgres.url(database="rights")
    await create_roles(url, passwords)
    return url


async def test_creating_roles_is_idempotent(admin_url: str, passwords: dict[str, str]) -> None:
    await create_roles(admin_url, passwords)


@pytest.mark.parametrize("role", POSTGRES_ROLES)
async def test_each_role_connects_with_its_password(
    admin_url: str, passwords: dict[str, str], role: str
) -> None:
    connection = await asyncpg.connect(url_for(admin_url, role, passwords))
    try:
        assert await connection.fetchval("SELECT current_user") == role
    finally:
        await connection.close()


async def test_the_migrations_role_owns_the_database(
    admin_url: str, passwords: dict[str, str]
) -> None:
    connection = await asyncpg.connect(url_for(admin_url, "tandem_migrations", passwords))
    try:
        await connection.execute("CREATE TABLE mine (number int)")
        await connection.execute("DROP TABLE mine")
    finally:
        await connection.close()


@pytest.mark.parametrize("role", [role for role in POSTGRES_ROLES if role != "tandem_migrations"])
@pytest.mark.parametrize("statement", ["CREATE TABLE mine (number int)", "CREATE SCHEMA mine"])
async def test_the_services_cannot_create_objects(
    admin_url: str, passwords: dict[str, str], role: str, statement: str
) -> None:
    connection = await asyncpg.connect(url_for(admin_url, role, passwords))
    try:
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            await connection.execute(statement)
    finally:
        await connection.close()


async def test_new_objects_are_inaccessible_until_they_are_granted(
    admin_url: str, passwords: dict[str, str]
) -> None:
    owner = await asyncpg.connect(url_for(admin_url, "tandem_migrations", passwords))
    relay = await asyncpg.connect(url_for(admin_url, "tandem_relay", passwords))
    try:
        await owner.execute("CREATE TABLE theirs (number int)")
        await owner.execute("CREATE FUNCTION one() RETURNS int LANGUAGE sql RETURN 1")
        for statement in ("SELECT * FROM theirs", "SELECT one()"):
            with pytest.raises(asyncpg.InsufficientPrivilegeError):
                await relay.execute(statement)
    finally:
        await owner.execute("DROP TABLE theirs; DROP FUNCTION one()")
        await owner.close()
        await relay.close()


@pytest.fixture
def projector(valkey: Valkey) -> "Iterator[redis.Redis]":
    with redis.Redis.from_url(valkey.url("tandem_projector")) as client:
        yield client


@pytest.fixture
def query_service(valkey: Valkey) -> "Iterator[redis.Redis]":
    with redis.Redis.from_url(valkey.url("tandem_query_service")) as client:
        yield client


def test_the_default_user_is_disabled(valkey: Valkey) -> None:
    with (
        redis.Redis(host="127.0.0.1", port=valkey.port) as client,
        pytest.raises(redis.AuthenticationError),
    ):
        client.ping()


def test_the_projector_writes_views_and_the_query_service_reads_them(
    projector: redis.Redis, query_service: redis.Redis
) -> None:
    script = "return redis.call('SET', KEYS[1], ARGV[1])"
    assert projector.eval(script, 1, "{users.3}:rights", "value") == b"OK"
    projector.zadd("{users.3}:rights-list", {"a": 0})

    assert query_service.mget("{users.3}:rights") == [b"value"]
    assert query_service.zrevrangebylex("{users.3}:rights-list", "+", "-") == [b"a"]

    projector.delete("{users.3}:rights", "{users.3}:rights-list")


@pytest.mark.parametrize(
    "command", ["FLUSHALL", "KEYS *", "CONFIG GET port", "ACL LIST", "SHUTDOWN"]
)
@pytest.mark.parametrize("role", REDIS_ROLES)
def test_the_services_cannot_run_administrative_commands(
    valkey: Valkey, role: str, command: str
) -> None:
    with (
        redis.Redis.from_url(valkey.url(role)) as client,
        pytest.raises(redis.exceptions.NoPermissionError),
    ):
        client.execute_command(*command.split())


def test_the_projector_cannot_write_other_keys(projector: redis.Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        projector.set("session:1", "mine")


def test_the_query_service_cannot_write(query_service: redis.Redis) -> None:
    with pytest.raises(redis.exceptions.NoPermissionError):
        query_service.set("{users.3}:rights", "mine")


def test_users_can_be_set_on_a_running_server(valkey: Valkey, passwords: dict[str, str]) -> None:
    set_users(valkey.url(), passwords)

    with redis.Redis.from_url(valkey.url("tandem_projector")) as client:
        assert client.ping()
