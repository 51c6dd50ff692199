"""Starts a stack: servers, roles, schema, services, and a round trip through all of them.

Idempotent: processes that run as planned are left unchanged. A failed run stops what it started.
"""

import asyncio
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

import asyncpg
import redis

from deploy.local.env_file import write_env
from deploy.local.errors import StackError
from deploy.local.external_servers import (
    check_external_servers,
    find_external_servers,
    without_password,
)
from deploy.local.home import ROOT, Home
from deploy.local.log_tail import last_log_line
from deploy.local.plan import Plan, make_plan, process_names
from deploy.local.port_assignment import assign_ports
from deploy.local.redis_cluster import form_cluster, node_urls
from deploy.local.redis_users import set_users
from deploy.local.roles import create_roles
from deploy.local.round_trip_check import check_round_trip
from deploy.local.secrets import passwords_in
from deploy.local.servers.topologies import additional_ports
from deploy.local.services import migration
from deploy.local.settings import settings_from
from deploy.local.startup import Startup
from deploy.local.supervision import UNREACHABLE, Supervision, clean_environment
from deploy.local.tokens import ensure_keys

NEEDED_BYTES = 1_000_000_000


def up(
    home: Home,
    environ: Mapping[str, str],
    report: Callable[[str], None],
    servers_only: bool = False,
    attached: bool = False,
) -> Plan:
    """Returns when everything is ready. Raises StackError after stopping what it started.

    `attached`: the stack ends with this process, and the caller makes the first round trip.
    """
    check_disk(home)
    external = find_external_servers(home, environ)
    check_external_servers(external)
    plan = create_plan(home, environ, external)
    if servers_only:
        plan.services.clear()
    supervision = Supervision(home, attached)
    startup = Startup(supervision, report)
    try:
        _start_all(plan, startup, environ)
        if plan.services and not attached:
            report(f"a command and its read took {check_round_trip(plan):.2f} s")
    except BaseException:
        startup.roll_back()
        raise
    write_env(plan)
    return plan


def check_disk(home: Home) -> None:
    home.create_directories()
    free = shutil.disk_usage(home.directory).free
    if free < NEEDED_BYTES:
        raise StackError(
            f"{free // 1_000_000} MB are free at {home.directory}, the servers need "
            f"{NEEDED_BYTES // 1_000_000} MB; free some space and run it again"
        )


def create_plan(home: Home, environ: Mapping[str, str], external: Mapping[str, str]) -> Plan:
    """The plan of this run. Its ports are saved, so that the next run uses the same."""
    settings = settings_from(environ)
    ensure_keys(home.private_key, home.jwks)
    state = home.load_state()
    names = process_names(settings, external)
    ports = assign_ports(names, settings.ports, state["ports"], _own_ports(home, state))
    plan = make_plan(home, settings, external, passwords_in(home.secrets), ports, environ)
    home.save_state({"ports": state["ports"] | ports, "external": dict(external)})
    return plan


def _own_ports(home: Home, state: Mapping[str, Mapping[str, int]]) -> set[int]:
    """The ports that processes of this stack listen on."""
    try:
        running = {name for name, status in Supervision(home).statuses().items() if status.pid}
    except UNREACHABLE:
        return set()
    running |= {port_name for name in running for port_name in additional_ports(name)}
    return {port for name, port in state["ports"].items() if name in running}


def _start_all(plan: Plan, startup: Startup, environ: Mapping[str, str]) -> None:
    _prepare_servers(plan)
    startup.supervise(plan)
    startup.start([server.name for server in plan.servers])
    checks = {server.name: server.is_ready for server in plan.servers}
    # Kafka takes the most time, and the migration does not need it.
    startup.wait_ready(
        {name: check for name, check in checks.items() if not name.startswith("kafka")}
    )
    _prepare_stores(plan)
    if plan.services:
        migrate(plan, environ)
    startup.wait_ready(checks)
    startup.start([service.name for service in plan.services])
    startup.wait_http(plan.services)


def _prepare_servers(plan: Plan) -> None:
    """Concurrently, because each one takes a second or two the first time."""
    with ThreadPoolExecutor() as pool:
        for prepared in [pool.submit(server.prepare) for server in plan.servers]:
            prepared.result()


def _prepare_stores(plan: Plan) -> None:
    database, store = plan.urls["DATABASE_URL"], plan.urls["REDIS_URL"]
    try:
        asyncio.run(create_roles(database, plan.passwords))
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        raise StackError(
            f"cannot create Tandem's roles in PostgreSQL at {without_password(database)} "
            f"({error}); DATABASE_URL needs an administrator's rights"
        ) from error
    if plan.redis_nodes:
        form_cluster(plan.redis_nodes)
    try:
        for node in node_urls(store) if plan.redis_is_cluster else [store]:
            set_users(node, plan.passwords)
    except redis.RedisError as error:
        raise StackError(
            f"cannot create Tandem's users in Redis at {without_password(store)} ({error}); "
            "REDIS_URL needs an administrator's rights"
        ) from error


def migrate(plan: Plan, environ: Mapping[str, str]) -> None:
    """Migrates the schema to this version. Idempotent, also after a crash."""
    log = plan.home.logs / "migrate.log"
    service = migration(plan.urls, plan.passwords)
    environment = clean_environment(environ) | service.environment_from(environ)
    command = [sys.executable, "-m", *service.command]
    with log.open("w") as output:
        done = subprocess.run(
            command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
    if done.returncode:
        raise StackError(f"the migrations failed: {last_log_line(log)}")
