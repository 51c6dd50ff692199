"""All of Tandem on servers of its own, with what a nemesis may do to any part of it."""

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
from faults.edges import Edge
from faults.servers import KafkaWithEdges
from faults.shape import SMALL, Shape
from shared.contracts.shards import DEFAULT_PARTITIONS
from tests.support.database import Database
from tests.support.identity import AUDIENCE, ISSUER, Identity
from tests.support.proxy import CommitProxy
from tests.support.redis_nodes import RedisNodes
from tests.support.servers import Kafka, Postgres, ServerProcess, Valkey
from tests.support.stack import MODULES, Process

T = TypeVar("T")
Through = Literal["nothing", "edges", "commit proxy"]
"""What stands between the processes: proxies on every edge, one that knows COMMIT, or none."""

EDGES: Final = (
    "command-service-postgres",
    "relay-postgres",
    "projector-postgres",
    "relay-kafka",
    "projector-kafka",
    "projector-redis",
    "query-service-redis",
)
_STARTED_WITHIN: Final = 180.0
"""Seconds: several at once, on a machine that is busy with a load besides."""
_ON_THEIR_WAY: Final = 1.0
"""Seconds after which whoever chose a process before it rested has reached it."""
Environment = Mapping[str, Mapping[str, str]]


class OwnProcess(Process):
    """One of our processes, whose environment can be changed."""

    def change_environment(self, **changes: str) -> None:
        """From its next start on."""
        self._environment |= changes


class World:
    """`processes` by name; a process that ends by itself is started again, and noted."""

    def __init__(
        self,
        directory: Path,
        through: Through = "nothing",
        environment: Environment | None = None,
        disk: Path | None = None,
        shape: Shape = SMALL,
        previous: Path | None = None,
    ) -> None:
        """`disk`: where PostgreSQL's data is to be, if not beside all other. `previous`: the tree
        of an older version, whose schema and services it begins with.
        """
        self.shape = shape
        self.previous = previous
        self.directory = directory
        self.identity = Identity(directory)
        self.through = through
        self._more: Environment = environment or {}
        passwords = new_passwords()
        ports = free_ports(4)
        self.postgres = Postgres((disk or directory) / "postgres", ports[0], passwords)
        self.redis_nodes = (
            RedisNodes(directory, shape.redis_primaries, passwords)
            if shape.redis_primaries
            else None
        )
        self.valkey = (
            self.redis_nodes.nodes[0]
            if self.redis_nodes
            else Valkey(directory / "redis", ports[1], passwords)
        )
        self.edges = self._make_edges() if through == "edges" else {}
        listeners = {
            "RELAY": self.edges.get("relay-kafka"),
            "PROJECTOR": self.edges.get("projector-kafka"),
        }
        self.kafka: Kafka = KafkaWithEdges(
            directory / "kafka",
            ports[2],
            ports[3],
            {name: (edge.target_port, edge.port) for name, edge in listeners.items() if edge},
        )
        self.brokers: list[Kafka] = [self.kafka]
        if shape.brokers > 1:
            self.brokers = _brokers(directory, shape.brokers)
            self.kafka = self.brokers[0]
        self.database = Database.of(self.postgres, "tandem")
        self.commits = CommitProxy("127.0.0.1", self.postgres.port)
        self._commit_server: asyncio.Server | None = None
        self.processes: dict[str, OwnProcess] = {}
        self.kills = 0
        self.ended: list[str] = []
        self.void_before = 0.0
        self._down: set[str] = set()
        self._resting: set[str] = set()
        self._turns = itertools.count()
        self._supervising: asyncio.Task[None] | None = None
        # A server dies with the thread that started it, so there is one for all of the run.
        self._thread = ThreadPoolExecutor(1)
        self._begun = time.monotonic()
        self._notes = (directory / "nemesis.jsonl").open("w", buffering=1)

    @property
    def servers(self) -> dict[str, ServerProcess]:
        nodes = self.redis_nodes.nodes if self.redis_nodes else [self.valkey]
        return {server.name: server for server in (self.postgres, *self.brokers, *nodes)}

    @property
    def bootstrap_servers(self) -> str:
        return ",".join(broker.address for broker in self.brokers)

    def url_of(self, kind: str) -> str:
        """Of those that take requests one after the other, as a load balancer has it."""
        names = [
            name
            for name, process in self.processes.items()
            if process.kind == kind and name not in self._resting
        ]
        return self.processes[names[next(self._turns) % len(names)]].url

    def redis_admin(self, shard: str) -> str:
        """The administrator's URL of the node that has the shard."""
        return self.redis_nodes.admin_of(shard) if self.redis_nodes else self.valkey.url()

    def clock(self) -> float:
        """Seconds since the run began."""
        return time.monotonic() - self._begun

    def forget_the_past(self) -> None:
        """What was acknowledged until now is void: its history was lost with PostgreSQL's data."""
        self.void_before = self.clock()
        self.note("what was acknowledged before is void")

    def note(self, text: str) -> None:
        """What is done to the world, for whoever reads the history."""
        self._notes.write(json.dumps({"at": round(self.clock(), 3), "what": text}) + "\n")

    async def start(self) -> None:
        """Servers, schema, proxies and the processes, ready."""
        await asyncio.gather(*(edge.start() for edge in self.edges.values()))
        await self.in_thread(self._start_servers)
        await create_roles(self.postgres.url(), self.postgres.passwords)
        await self.migrate(self.previous)
        self._commit_server = await asyncio.start_server(self.commits.handle, "127.0.0.1", 0)
        self.commits.port = self._commit_server.sockets[0].getsockname()[1]
        for kind in MODULES:
            for number in range(1, self.shape.of_each + 1):
                self.add(kind if number == 1 else f"{kind}-{number}", self.previous)
        await asyncio.gather(*(process.ready() for process in self.processes.values()))
        self._supervising = asyncio.create_task(self._supervise())

    def _start_servers(self) -> None:
        """At once: a broker is ready only when most of them are there."""
        servers = self.servers.values()
        for server in servers:
            server.launch()
        for server in servers:
            server.wait_ready(_STARTED_WITHIN)
        if self.redis_nodes:
            form_cluster(self.redis_nodes.nodes)

    async def migrate(self, root: Path | None = None) -> None:
        """Brings the schema to this version, or to that of another tree."""
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
        await asyncio.gather(*(edge.stop() for edge in self.edges.values()))
        self._notes.close()

    async def in_thread(self, work: Callable[[], T]) -> T:
        """Runs what blocks, such as a server's `start`, beside the load."""
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def add(self, name: str, root: Path | None = None) -> OwnProcess:
        """Start one more process, such as `projector-2`, from this tree or another one."""
        kind = name.rstrip("-0123456789")
        environment = {**self._environment(kind), **self._more.get(kind, {})}
        process = OwnProcess(name, environment, self.directory / f"{name}.log", root)
        self.processes[name] = process
        process.start()
        return process

    def remove(self, name: str, number: signal.Signals = signal.SIGTERM) -> None:
        """End one for good."""
        self.note(f"{number.name} for {name}, for good")
        process = self.processes.pop(name)
        process.signal(number)

    async def join(self, name: str, root: Path | None = None) -> None:
        """One more, which gets requests once it is ready."""
        self._resting.add(name)
        self.note(f"{name} joins")
        await self.add(name, root).ready()
        self._resting.discard(name)
        self.note(f"{name} is ready")

    async def leave(self, name: str, number: signal.Signals) -> None:
        """It gets no more requests, and ends; asked to, it must do so in order."""
        self._resting.add(name)
        await asyncio.sleep(_ON_THEIR_WAY)
        process = self.processes[name]
        self.remove(name, number)
        status = await asyncio.to_thread(process.wait)
        self._resting.discard(name)
        if number is signal.SIGTERM and status != 0:
            self.ended.append(f"{name}, asked to end, with status {status}")

    def kill(self, name: str) -> None:
        """SIGKILL, and started again at once, as by a supervisor."""
        self.note(f"SIGKILL {name}")
        self.kill_down(name)
        self.start_again(name)

    def kill_down(self, name: str) -> None:
        """SIGKILL; it stays down until `start_again`."""
        self._down.add(name)
        self.kills += 1
        self.processes[name].kill()

    def start_again(self, name: str) -> None:
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
        await self.in_thread(lambda: self.servers[name].start(_STARTED_WITHIN))
        self.note(f"{name} answers")

    async def _supervise(self) -> None:
        while True:
            await asyncio.sleep(0.2)
            for name, process in list(self.processes.items()):
                if name not in self._down and not process.running:
                    self.note(f"{name} ended by itself")
                    self.ended.append(name)
                    process.start()

    def _make_edges(self) -> dict[str, Edge]:
        ports = {"postgres": self.postgres.port, "redis": self.valkey.port}
        edges = {}
        for name in EDGES:
            own, behind = free_ports(2)
            edges[name] = Edge(name, ports.get(name.rpartition("-")[2], behind), own)
        return edges

    def _via(self, kind: str, server: str, url: str) -> str:
        """The same address, through the proxy of that edge where there is one."""
        port = {"postgres": self.postgres.port, "redis": self.valkey.port}.get(
            server, self.kafka.port
        )
        edge = self.edges.get(f"{kind}-{server}")
        there = edge.port if edge else port
        if self.through == "commit proxy" and (kind, server) == ("command-service", "postgres"):
            there = self.commits.port
        return url.replace(f":{port}", f":{there}")

    def _environment(self, kind: str) -> dict[str, str]:
        database = self.database
        callers = {
            "JWKS_URL": self.identity.jwks_url,
            "JWT_ISSUER": ISSUER,
            "JWT_AUDIENCE": AUDIENCE,
        }
        kafka = {"KAFKA_BOOTSTRAP_SERVERS": self._via(kind, "kafka", self.bootstrap_servers)}
        match kind:
            case "command-service":
                url = database.command_service_url
                return {"DATABASE_URL": self._via(kind, "postgres", url), **callers}
            case "relay":
                url = self._via(kind, "postgres", database.relay_url)
                return {"DATABASE_URL": url, **kafka, **self._topics()}
            case "projector":
                url = self._via(kind, "postgres", database.log_reader_url)
                return {"DATABASE_URL": url, **self._views(kind, "tandem_projector"), **kafka}
            case _:
                return {**self._views(kind, "tandem_query_service"), **callers}

    def _topics(self) -> dict[str, str]:
        if self.shape.brokers == 1:
            return {}
        return {
            "REPLICATION_FACTOR": str(replicas_of(self.shape.brokers)),
            "MIN_INSYNC_REPLICAS": str(in_sync_of(self.shape.brokers)),
        }

    def _views(self, kind: str, role: str) -> dict[str, str]:
        if self.redis_nodes:
            return {"REDIS_URL": self.redis_nodes.url(role), "REDIS_CLUSTER": "true"}
        return {"REDIS_URL": self._via(kind, "redis", self.valkey.url(role))}


def _brokers(directory: Path, count: int) -> list[Kafka]:
    names = broker_names(count)
    names += [beside for name in names for beside in additional_ports(name)]
    return create_brokers(
        Kafka, directory, count, dict(zip(names, free_ports(len(names)), strict=True))
    )
