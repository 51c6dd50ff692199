"""All of Tandem on separate servers, and the operations with which a nemesis injects faults."""

import asyncio
import itertools
import json
import os
import signal
import sys
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final, Literal, TypeVar

from command_service.schema.migrate import migrate
from deploy.local.ports import free_ports
from deploy.local.redis_cluster import form_cluster
from deploy.local.roles import create_roles
from deploy.local.secrets import new_passwords
from deploy.local.servers.kafka import in_sync_of, replicas_of
from deploy.local.servers.topologies import additional_ports, broker_names, create_brokers
from deploy.local.services import LOCAL_LIMITS
from faults.kafka_with_links import KafkaWithLinks
from faults.link_proxy import LinkProxy
from faults.topology import SINGLE, Topology
from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.support.database import Database
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.proxy import CommitProxy
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Kafka, Postgres, ServerProcess, Valkey
from tests.support.stack import MODULES, Process

T = TypeVar("T")
Proxies = Literal["none", "links", "commit"]
"""Proxies between the processes: none, one on every link, or one that can interrupt a COMMIT."""

LINKS: Final = (
    "command-service-postgres",
    "relay-postgres",
    "projector-postgres",
    "relay-kafka",
    "projector-kafka",
    "projector-redis",
    "query-service-redis",
)
_START_TIMEOUT_S: Final = 180.0
"""Long, because several servers start at once on a loaded machine."""
_DRAIN_S: Final = 1.0
"""The maximum time between choosing a URL and sending the request to it."""
Environment = Mapping[str, Mapping[str, str]]


class TandemProcess(Process):
    """A process of Tandem, whose environment can be changed."""

    def change_environment(self, **changes: str) -> None:
        """Takes effect at its next start."""
        self._environment |= changes


class SystemUnderTest:
    """`processes` by name. A process that ends unexpectedly is noted and restarted."""

    def __init__(
        self,
        directory: Path,
        proxies: Proxies = "none",
        environment: Environment | None = None,
        disk: Path | None = None,
        topology: Topology = SINGLE,
        previous: Path | None = None,
    ) -> None:
        """`disk`: the parent of PostgreSQL's data directory, `directory` by default. `previous`:
        the tree of an older version, whose schema and services are started.
        """
        self.topology = topology
        self.previous = previous
        self.directory = directory
        self.identity = Identity(directory)
        self.proxies = proxies
        self._extra_environment: Environment = environment or {}
        passwords = new_passwords()
        ports = free_ports(4)
        self.postgres = Postgres((disk or directory) / "postgres", ports[0], passwords)
        self.redis_nodes = (
            RedisNodes(directory, topology.redis_primaries, passwords)
            if topology.redis_primaries
            else None
        )
        self.valkey = (
            self.redis_nodes.nodes[0]
            if self.redis_nodes
            else Valkey(directory / "redis", ports[1], passwords)
        )
        self.links = self._create_links() if proxies == "links" else {}
        listeners = {
            "RELAY": self.links.get("relay-kafka"),
            "PROJECTOR": self.links.get("projector-kafka"),
        }
        self.kafka: Kafka = KafkaWithLinks(
            directory / "kafka",
            ports[2],
            ports[3],
            {name: (link.target_port, link.port) for name, link in listeners.items() if link},
        )
        self.brokers: list[Kafka] = [self.kafka]
        if topology.brokers > 1:
            self.brokers = _brokers(directory, topology.brokers)
            self.kafka = self.brokers[0]
        self.database = Database.of(self.postgres, "tandem")
        self.commits = CommitProxy("127.0.0.1", self.postgres.port)
        self._commit_server: asyncio.Server | None = None
        self.processes: dict[str, TandemProcess] = {}
        self.kills = 0
        self.unexpected_exits: list[str] = []
        self.valid_from = 0.0
        self._down: set[str] = set()
        self._draining: set[str] = set()
        self._turns = itertools.count()
        self._supervising: asyncio.Task[None] | None = None
        # A server ends with the thread that started it, so one thread starts all of them.
        self._thread = ThreadPoolExecutor(1)
        self._started = time.monotonic()
        self._notes = (directory / "nemesis.jsonl").open("w", buffering=1)

    @property
    def servers(self) -> dict[str, ServerProcess]:
        nodes = self.redis_nodes.nodes if self.redis_nodes else [self.valkey]
        return {server.name: server for server in (self.postgres, *self.brokers, *nodes)}

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.address for broker in self.brokers)

    def url_of(self, kind: str) -> str:
        """The URL of one of these services, in turn, as from a load balancer."""
        names = [
            name
            for name, process in self.processes.items()
            if process.kind == kind and name not in self._draining
        ]
        return self.processes[names[next(self._turns) % len(names)]].url

    def redis_admin(self, shard: str) -> str:
        """The administrator's URL of the node that has the shard."""
        return self.redis_nodes.admin_of(shard) if self.redis_nodes else self.valkey.url()

    def clock(self) -> float:
        """Seconds since the creation of the system."""
        return time.monotonic() - self._started

    def invalidate_history(self) -> None:
        """Exclude earlier attempts from the audit, since PostgreSQL lost their data."""
        self.valid_from = self.clock()
        self.note("earlier acknowledgements are void")

    def note(self, text: str) -> None:
        """Add a line to nemesis.jsonl."""
        self._notes.write(json.dumps({"at": round(self.clock(), 3), "what": text}) + "\n")

    async def start(self) -> None:
        """Start the servers, schema, proxies and processes, and wait until they are ready."""
        await asyncio.gather(*(link.start() for link in self.links.values()))
        await self.in_thread(self._start_servers)
        await create_roles(self.postgres.url(), self.postgres.passwords)
        await self.migrate(self.previous)
        self._commit_server = await asyncio.start_server(self.commits.handle, "127.0.0.1", 0)
        self.commits.port = self._commit_server.sockets[0].getsockname()[1]
        for kind in MODULES:
            for number in range(1, self.topology.replicas_per_service + 1):
                self.add(kind if number == 1 else f"{kind}-{number}", self.previous)
        await asyncio.gather(*(process.ready() for process in self.processes.values()))
        self._supervising = asyncio.create_task(self._supervise())

    def _start_servers(self) -> None:
        """Concurrently, because a broker is ready only if the majority has started."""
        servers = self.servers.values()
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready(_START_TIMEOUT_S)
        if self.redis_nodes:
            form_cluster(self.redis_nodes.nodes)

    async def migrate(self, root: Path | None = None) -> None:
        """Migrate the schema to this version, or to that of another tree."""
        url = self.database.migrations_url
        if root is None:
            await migrate(url, DEFAULT_PARTITIONS)
            return
        done = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "command_service", "migrate",
            cwd=root, env={"PATH": os.environ["PATH"], "DATABASE_URL": url},
        )  # fmt: skip
        assert await done.wait() == 0

    async def stop(self) -> None:
        if self._supervising is not None:
            self._supervising.cancel()
        for process in self.processes.values():
            if process.running:
                process.kill()
        for server in self.servers.values():
            await self.in_thread(server.resume)
            await self.in_thread(server.kill)
        self._thread.shutdown()
        if self._commit_server is not None:
            self._commit_server.close()
            await self.commits.close()
        await asyncio.gather(*(link.stop() for link in self.links.values()))
        self._notes.close()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Run a blocking call, such as a server's `start`, without blocking the load."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def add(self, name: str, root: Path | None = None) -> TandemProcess:
        """Start a process such as `projector-2`, from this tree or another one."""
        kind = name.rstrip("-0123456789")
        environment = {**self._environment(kind), **self._extra_environment.get(kind, {})}
        process = TandemProcess(name, environment, self.directory / f"{name}.log", root)
        self.processes[name] = process
        process.start()
        return process

    def remove(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """Stop a process and do not restart it."""
        self.note(f"{number.name} for {name}, without restart")
        process = self.processes.pop(name)
        process.signal(number)

    async def join(self, name: str, root: Path | None = None) -> None:
        """Start a process, which gets requests when it is ready."""
        self._draining.add(name)
        self.note(f"{name} joins")
        await self.add(name, root).ready()
        self._draining.discard(name)
        self.note(f"{name} is ready")

    async def leave(self, name: str, number: signal.Signals) -> None:
        """Send the process no more requests, and end it. After SIGTERM its status must be 0."""
        self._draining.add(name)
        await asyncio.sleep(_DRAIN_S)
        process = self.processes[name]
        self.remove(name, number)
        status = await asyncio.to_thread(process.wait)
        self._draining.discard(name)
        if number is signal.SIGTERM and status != 0:
            self.unexpected_exits.append(f"{name}, after SIGTERM, with status {status}")

    def kill(self, name: str) -> None:
        """SIGKILL and an immediate restart, as by a supervisor."""
        self.note(f"SIGKILL {name}")
        self.kill_without_restart(name)
        self.restart(name)

    def kill_without_restart(self, name: str) -> None:
        """SIGKILL; the process stays down until `restart`."""
        self._down.add(name)
        self.kills += 1
        self.processes[name].kill()

    def restart(self, name: str) -> None:
        self.processes[name].start()
        self._down.discard(name)

    def pause(self, name: str) -> None:
        self.note(f"SIGSTOP {name}")
        self.processes[name].signal(signal.SIGSTOP)

    def resume(self, name: str) -> None:
        self.note(f"SIGCONT {name}")
        self.processes[name].signal(signal.SIGCONT)

    async def kill_server(self, name: str) -> None:
        self.note(f"SIGKILL {name}")
        self.kills += 1
        await self.in_thread(self.servers[name].kill)

    async def start_server(self, name: str) -> None:
        await self.in_thread(lambda: self.servers[name].start(_START_TIMEOUT_S))
        self.note(f"{name} is ready")

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for name, process in list(self.processes.items()):
                if name not in self._down and not process.running:
                    self.note(f"{name} ended unexpectedly")
                    self.unexpected_exits.append(name)
                    process.start()

    def _create_links(self) -> dict[str, LinkProxy]:
        ports = {"postgres": self.postgres.port, "redis": self.valkey.port}
        links = {}
        for name in LINKS:
            port, kafka_port = free_ports(2)
            links[name] = LinkProxy(name, ports.get(name.rpartition("-")[2], kafka_port), port)
        return links

    def _via(self, kind: str, server: str, url: str) -> str:
        """The address of the proxy of this link, or of the server without one."""
        port = {"postgres": self.postgres.port, "redis": self.valkey.port}.get(
            server, self.kafka.port
        )
        link = self.links.get(f"{kind}-{server}")
        proxy_port = link.port if link else port
        if self.proxies == "commit" and (kind, server) == ("command-service", "postgres"):
            proxy_port = self.commits.port
        return url.replace(f":{port}", f":{proxy_port}")

    def _environment(self, kind: str) -> dict[str, str]:
        database = self.database
        authentication = {
            "JWKS_URL": self.identity.jwks_url,
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
            **LOCAL_LIMITS,
        }
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self._via(kind, "kafka", self.bootstrap_servers)}
        match kind:
            case "command-service":
                url = database.command_service_url
                return {"DATABASE_URL": self._via(kind, "postgres", url), **authentication}
            case "relay":
                url = self._via(kind, "postgres", database.relay_url)
                return {"DATABASE_URL": url, **kafka, **self._topics()}
            case "projector":
                url = self._via(kind, "postgres", database.log_reader_url)
                return {"DATABASE_URL": url, **self._views(kind, "tandem_projector"), **kafka}
            case _:
                return {**self._views(kind, "tandem_query_service"), **authentication}

    def _topics(self) -> dict[str, str]:
        if self.topology.brokers == 1:
            return {}
        return {
            "REPLICATION_FACTOR": str(replicas_of(self.topology.brokers)),
            "MIN_INSYNC_REPLICAS": str(in_sync_of(self.topology.brokers)),
        }

    def _views(self, kind: str, role: str) -> dict[str, str]:
        if self.redis_nodes:
            return {"REDIS_URL": self.redis_nodes.url(role), "REDIS_CLUSTER": "true"}
        return {"REDIS_URL": self._via(kind, "redis", self.valkey.url(role))}


def _brokers(directory: Path, count: int) -> list[Kafka]:
    names = broker_names(count)
    names += [extra for name in names for extra in additional_ports(name)]
    return create_brokers(
        Kafka, directory, count, dict(zip(names, free_ports(len(names)), strict=True))
    )
