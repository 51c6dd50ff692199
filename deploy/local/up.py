"""Starts a stack: servers, roles, tables, services, and one command and read through all of it.

Safe to repeat: what runs as planned is left alone. If it fails, what this run started is stopped.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import redis

from deploy.local.choose_ports import choose_ports
from deploy.local.env_file import write_env
from deploy.local.errors import StackError
from deploy.local.external_servers import check_used, used_servers, without_password
from deploy.local.home import ROOT, Home
from deploy.local.logs import last_words
from deploy.local.plan import Plan, make_plan, names_of
from deploy.local.redis_cluster import form_cluster, node_urls
from deploy.local.redis_users import set_users
from deploy.local.roles import create_roles
from deploy.local.secrets import passwords_in
from deploy.local.servers.topologies import additional_ports
from deploy.local.services import migration
from deploy.local.settings import settings_from
from deploy.local.smoke import one_command_and_read
from deploy.local.starting import Starting
from deploy.local.supervision import GONE, Supervision, clean_environment
from deploy.local.tokens import make_keys

NEEDED_BYTES = 1_000_000_000
Say = Callable[[str], None]


def up(
    home: Home,
    environ: Mapping[str, str],
    say: Say,
    servers_only: bool = False,
    attached: bool = False,
) -> Plan:
    """Returns when all is ready. Raises StackError, after stopping what it started.

    Attached, it dies with us, and its first command and read are ours to make.
    """
    check_disk(home)
    used = used_servers(home, environ)
    check_used(used)
    plan = planned(home, environ, used)
    if servers_only:
        plan.services.clear()
    supervision = Supervision(home, attached)
    starting = Starting(supervision, say)
    try:
        _bring_up(plan, starting, environ)
        if plan.services and not attached:
            one_command_and_read(plan, starting)
    except BaseException:
        starting.undo()
        raise
    write_env(plan)
    return plan


def check_disk(home: Home) -> None:
    home.make()
    free = shutil.disk_usage(home.directory).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"{free // 1_000_000} MB are free at {home.directory}, the servers need "
            f"{NEEDED_BYTES // 1_000_000} MB; free some space and run it again"
        )


def planned(home: Home, environ: Mapping[str, str], used: Mapping[str, str]) -> Plan:
    """What is to run. The ports are remembered, so that a repeat takes the same."""
    settings = settings_from(environ)
    make_keys(home.private_key, home.jwks)
    known = home.remembered()
    names = names_of(settings, used)
    ports = choose_ports(names, settings.ports, known["ports"], _ports_of_running(home, known))
    plan = make_plan(home, settings, used, passwords_in(home.secrets), ports, environ)
    home.remember({"ports": known["ports"] | ports, "used": dict(used)})
    return plan


def _ports_of_running(home: Home, known: Mapping[str, Mapping[str, int]]) -> set[int]:
    """Ports that are taken by ourselves."""
    try:
        running = {name for name, status in Supervision(home).statuses().items() if status.pid}
    except GONE:
        return set()
    running |= {beside for name in running for beside in additional_ports(name)}
    return {port for name, port in known["ports"].items() if name in running}


def _bring_up(plan: Plan, starting: Starting, environ: Mapping[str, str]) -> None:
    _prepare_servers(plan)
    starting.supervise(plan)
    starting.begin([server.name for server in plan.servers])
    checks = {server.name: server.is_ready for server in plan.servers}
    # Kafka takes longest, and the tables do not need it.
    starting.wait({name: check for name, check in checks.items() if not name.startswith("kafka")})
    _prepare_stores(plan)
    if plan.services:
        migrate(plan, environ)
    starting.wait(checks)
    starting.begin([service.name for service in plan.services])
    starting.wait_http(plan.services)


def _prepare_servers(plan: Plan) -> None:
    """At the same time, since the first time each one takes a second or two."""
    with ThreadPoolExecutor() as pool:
        for prepared in [pool.submit(server.prepare) for server in plan.servers]:
            prepared.result()


def _prepare_stores(plan: Plan) -> None:
    database, store = plan.urls["DATABASE_URL"], plan.urls["REDIS_URL"]
    try:
        asyncio.run(create_roles(database, plan.passwords))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StackError(
            f"cannot make the roles of Tandem in PostgreSQL at {without_password(database)} "
            f"({error}); DATABASE_URL needs an administrator's rights"
        ) from error
    if plan.redis_nodes:
        form_cluster(plan.redis_nodes)
    try:
        for node in node_urls(store) if plan.redis_is_cluster else [store]:
            set_users(node, plan.passwords)
    except redis.RedisError as error:
        raise StackError(
            f"cannot make the users of Tandem in Redis at {without_password(store)} ({error}); "
            "REDIS_URL needs an administrator's rights"
        ) from error


def migrate(plan: Plan, environ: Mapping[str, str]) -> None:
    """Brings the tables to this version. Safe to repeat, and to be killed in."""
    log = plan.home.logs / "migrate.log"
    service = migration(plan.urls, plan.passwords)
    environment = clean_environment(environ) | service.environment_from(environ)
    command = [sys.executable, "-m", *service.command]
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode:
        raise StackError(f"the migrations failed: {last_words(log)}")
