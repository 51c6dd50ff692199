"""Creates the database and its roles on any PostgreSQL, with an administrator's URL."""

import base64
import hashlib
import hmac
import secrets
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from deploy.local.secrets import POSTGRES_ROLES, Passwords

ROLES_SQL = Path(__file__).parents[1] / "postgres" / "roles.sql"
ITERATIONS = 4096


async def create_roles(admin_url: str, passwords: Passwords) -> None:
    """Creates the roles with these passwords, and the URL's database if it is missing.

    Idempotent; the next run completes what a crash interrupted. Raises asyncpg's errors, including
    OSError, if the server does not respond or the administrator lacks the permission.
    """
    connection = await _connect(admin_url)
    try:
        async with connection.transaction():
            await connection.execute(ROLES_SQL.read_text())
            for role in POSTGRES_ROLES:
                # The verifier instead of the password, so that no server log contains it.
                verifier = scram_verifier(passwords[role])
                await connection.execute(f"ALTER ROLE {role} PASSWORD '{verifier}'")
    finally:
        await connection.close(timeout=5)


def url_for(admin_url: str, role: str, passwords: Passwords) -> str:
    """The administrator's URL with this role and its password."""
    parts = urlsplit(admin_url)
    server = parts.netloc.rpartition("@")[2]
    netloc = f"{quote(role)}:{quote(passwords[role], safe='')}@{server}"
    return urlunsplit(parts._replace(netloc=netloc))


def scram_verifier(password: str) -> str:
    """What PostgreSQL stores for a password (RFC 5803); the password is ASCII."""
    salt = secrets.token_bytes(16)
    salted = hashlib.pbkdf2_hmac("sha256", password.encode("ascii"), salt, ITERATIONS)
    stored_key = hashlib.sha256(_hmac(salted, b"Client Key")).digest()
    server_key = _hmac(salted, b"Server Key")
    encoded = (base64.b64encode(part).decode() for part in (salt, stored_key, server_key))
    return "SCRAM-SHA-256${}:{}${}:{}".format(ITERATIONS, *encoded)


async def _connect(admin_url: str) -> "asyncpg.Connection[asyncpg.Record]":
    try:
        return await asyncpg.connect(admin_url, timeout=10)
    except asyncpg.InvalidCatalogNameError:
        await _create_database(admin_url)
        return await asyncpg.connect(admin_url, timeout=10)


async def _create_database(admin_url: str) -> None:
    parts = urlsplit(admin_url)
    name = parts.path.removeprefix("/").replace('"', '""')
    connection = await asyncpg.connect(urlunsplit(parts._replace(path="/postgres")), timeout=10)
    try:
        await connection.execute(f'CREATE DATABASE "{name}" ENCODING UTF8 TEMPLATE template0')
    except asyncpg.DuplicateDatabaseError:
        return
    finally:
        await connection.close(timeout=5)


def _hmac(key: bytes, message: bytes) -> bytes:
    return hmac.new(key, message, "sha256").digest()
