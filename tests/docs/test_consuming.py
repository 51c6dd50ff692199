"""The consumers of `consuming.md` keep their views exactly once, whatever happens to the topic."""

import json
import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contracts_tools.tools import require_tool, run
from tests.docs.orders_topic import OrdersTopic
from tests.docs.pages import DOCS, write_programs
from tests.support.waiting import until


class SupervisedConsumer:
    """A consumer's process, restarted whenever it has exited."""

    def __init__(self, command: list[str], bootstrap: str, directory: Path) -> None:
        self._command = command
        self._log = directory / "consumer.log"
        self.view = directory / "view"
        self._environment = {
            **os.environ,
            "KAFKA_BOOTSTRAP_SERVERS": bootstrap,
            "VIEW": str(self.view),
            "PYTHONPATH": str(directory),
        }
        self._process: subprocess.Popen[bytes] | None = None

    def ensure_running(self) -> None:
        if self._process is None or self._process.poll() is not None:
            with self._log.open("ab") as log:
                self._process = subprocess.Popen(
                    self._command, env=self._environment, stdout=log, stderr=log
                )

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def log(self) -> str:
        return self._log.read_text()[-3000:]


def in_sqlite(view: Path) -> dict[str, int]:
    with closing(sqlite3.connect(view)) as connection:
        try:
            return dict(connection.execute("SELECT product, quantity FROM sold").fetchall())
        except sqlite3.OperationalError:
            return {}


def in_json(view: Path) -> dict[str, int]:
    found: dict[str, int] = json.loads(view.read_text())["sold"] if view.exists() else {}
    return found


@pytest.fixture(scope="module")
def go_program(tmp_path_factory: pytest.TempPathFactory) -> Callable[[], Path]:
    """Builds the program at the first call."""

    def build() -> Path:
        program = tmp_path_factory.mktemp("go") / "sold"
        folder = DOCS / "examples/go"
        command = (require_tool("go"), "build", "-mod=readonly", "-o", program, ".")
        run(*command, cwd=folder, timeout_s=300)
        return program

    return build


@pytest.fixture(params=["sold.py", "sold_faststream.py", "go"])
def consumer(
    request: pytest.FixtureRequest,
    go_program: Callable[[], Path],
    kafka_bootstrap: str,
    tmp_path: Path,
) -> Iterator[tuple[SupervisedConsumer, Callable[[Path], dict[str, int]]]]:
    programs = write_programs("consuming.md", tmp_path)
    is_go = request.param == "go"
    command = [str(go_program())] if is_go else [sys.executable, str(programs[request.param])]
    supervised = SupervisedConsumer(command, kafka_bootstrap, tmp_path)
    yield supervised, in_json if is_go else in_sqlite
    supervised.kill()


@pytest.fixture
async def topic(kafka_bootstrap: str) -> OrdersTopic:
    topic = OrdersTopic(kafka_bootstrap)
    await topic.recreate()
    return topic


async def test_a_view_is_exact_after_duplicates_gaps_crashes_and_a_recreated_topic(
    consumer: tuple[SupervisedConsumer, Callable[[Path], dict[str, int]]], topic: OrdersTopic
) -> None:
    process, read = consumer

    async def exact(when: str) -> None:
        async def equals_the_log() -> bool:
            process.ensure_running()
            return read(process.view) == topic.sold()

        try:
            await until(equals_the_log, f"the view is exact {when}", seconds=60)
        except TimeoutError as error:
            found, expected = read(process.view), topic.sold()
            pytest.fail(f"{error}: {found} instead of {expected}\n{process.log()}")

    first = topic.append(20)
    await topic.publish([*first[:10], *first[:10], *first[5:]])
    await topic.publish_foreign_record()
    await exact("after duplicates")

    process.kill()
    second = topic.append(20)
    await topic.publish([*first, *second])
    await exact("after a crash, with everything redelivered")

    third = topic.append(9)
    await topic.publish(third[3:])
    await topic.publish(third)
    await exact("after a gap that was filled")

    process.kill()
    await topic.recreate()
    await topic.publish([*topic.log, *topic.append(20)])
    await exact("after the topic was recreated")
