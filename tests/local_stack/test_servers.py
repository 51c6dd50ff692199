"""The three local servers start, respond, stop, and keep their data, also after a kill -9."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import asyncpg
import psutil
import pytest
import redis
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from deploy.local.errors import StackError
from deploy.local.home import ROOT
from deploy.local.ports import free_ports
from deploy.local.secrets import new_passwords
from tests.support.servers import Kafka, Postgres, ServerProcess, Valkey

End = Callable[[ServerProcess], None]
ends = pytest.mark.parametrize(
    "end", [ServerProcess.stop, ServerProcess.kill], ids=["stop", "kill"]
)


@ends
async def test_postgres_keeps_committed_data(tmp_path: Path, end: End) -> None:
    server = Postgres(tmp_path / "postgres", free_ports(1)[0], new_passwords())
    server.start()
    try:
        await run_in(server, "CREATE TABLE kept AS SELECT 7 AS number")
        end(server)
        assert not server.is_ready()
        server.start()

        assert await run_in(server, "SELECT number FROM kept") == 7
    finally:
        server.kill()


async def test_postgres_requires_a_password(postgres: Postgres) -> None:
    wrong = f"postgresql://tandem_admin:wrong@{postgres.address}/postgres"

    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(wrong)


async def test_postgres_accepts_300_connections_and_is_durable(postgres: Postgres) -> None:
    assert await run_in(postgres, "SHOW max_connections") == "300"
    assert await run_in(postgres, "SHOW fsync") == "on"
    assert await run_in(postgres, "SHOW server_encoding") == "UTF8"


def test_postgres_starts_despite_a_pid_file_from_before_a_power_failure(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", free_ports(1)[0], new_passwords())
    server.prepare()
    # The pid now belongs to another program: this test.
    (server.data_dir / "postmaster.pid").write_text(f"{os.getpid()}\n{server.data_dir}\n")

    server.start()
    server.stop()


def test_an_interrupted_first_start_is_restarted(tmp_path: Path) -> None:
    server = Postgres(tmp_path / "postgres", free_ports(1)[0], new_passwords())
    (tmp_path / "postgres.new").mkdir()
    (tmp_path / "postgres.new" / "PG_VERSION").write_text("18")
    (tmp_path / "postgres").mkdir()

    server.start()
    server.stop()


@ends
def test_valkey_keeps_written_data(tmp_path: Path, end: End) -> None:
    server = Valkey(tmp_path / "redis", free_ports(1)[0], new_passwords())
    server.start()
    try:
        with redis.Redis.from_url(server.url()) as client:
            assert client.config_get("appendfsync") == {"appendfsync": "everysec"}
            client.set("kept", "7")
        end(server)
        server.start()

        with redis.Redis.from_url(server.url()) as client:
            assert client.get("kept") == b"7"
    finally:
        server.kill()


async def test_kafka_keeps_its_topics_after_a_kill(tmp_path: Path) -> None:
    port, controller_port = free_ports(2)
    server = Kafka(tmp_path / "kafka", port, controller_port)
    server.start()
    try:
        await make_topic(server, "kept")
        await produce(server, "kept", b"before")
        server.kill()
        server.start()
        await produce(server, "kept", b"after")

        assert await consume(server, "kept", 2) == [b"before", b"after"]
    finally:
        server.kill()


async def test_kafka_does_not_create_topics_automatically(kafka: Kafka) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=kafka.address)
    await admin.start()
    try:
        await admin.describe_topics(["missing"])
        assert "missing" not in await admin.list_topics()
    finally:
        await admin.close()


def test_a_paused_server_responds_after_it_is_resumed(tmp_path: Path) -> None:
    server = Valkey(tmp_path / "redis", free_ports(1)[0], new_passwords())
    server.start()
    try:
        server.pause()
        assert not server.is_ready()
        server.resume()
        server.wait_ready(10)
    finally:
        server.stop()


def test_a_server_that_cannot_start_reports_the_reason_in_one_line(
    tmp_path: Path, valkey: Valkey
) -> None:
    server = Valkey(tmp_path / "redis", valkey.port, new_passwords())

    with pytest.raises(StackError, match=r"redis exited at once: .*redis\.log") as raised:
        server.start()
    assert "\n" not in str(raised.value)


@pytest.mark.skipif(sys.platform != "linux", reason="parent death signals exist on Linux only")
def test_a_server_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from tests.support.servers import Valkey;"
        "from deploy.local.ports import free_ports; from deploy.local.secrets import new_passwords;"
        "server = Valkey(Path(sys.argv[1]), free_ports(1)[0], new_passwords()); server.start();"
        "print(server.pid, flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "redis")]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout
        orphan = psutil.Process(int(parent.stdout.readline()))
        parent.kill()

        gone, _ = psutil.wait_procs([orphan], timeout=10)
    assert gone == [orphan]


async def run_in(server: Postgres, statement: str) -> object:
    connection = await asyncpg.connect(server.url(database="postgres"))
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


async def make_topic(server: Kafka, name: str) -> None:
    admin = AIOKafkaAdminClient(bootstrap_servers=server.address)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(name, 1, 1)])
    finally:
        await admin.close()


async def produce(server: Kafka, topic: str, value: bytes) -> None:
    producer = AIOKafkaProducer(bootstrap_servers=server.address, enable_idempotence=True)
    await producer.start()
    try:
        await producer.send_and_wait(topic, value)
    finally:
        await producer.stop()


async def consume(server: Kafka, topic: str, count: int) -> list[bytes | None]:
    consumer = AIOKafkaConsumer(
        topic, bootstrap_servers=server.address, auto_offset_reset="earliest"
    )
    await consumer.start()
    try:
        return [(await consumer.getone()).value for _ in range(count)]
    finally:
        await consumer.stop()
