"""What a log line looks like, and what never stands in it."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logging_setup import configure_logging, describe_error


@pytest.fixture(autouse=True)
def loggers_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_our_records_and_the_libraries_are_json_lines(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("relay", "INFO", "json")
    structlog.stdlib.get_logger("ours").info("started", shard="orders.7")
    logging.getLogger("aiokafka.client").warning("no %s", "broker")
    ours, theirs = map(json.loads, capsys.readouterr().err.splitlines())
    assert ours["event"] == "started"
    assert ours["shard"] == "orders.7"
    assert ours["timestamp"].endswith("Z")
    assert theirs["event"] == "no broker"
    assert theirs["process"] == ours["process"] == "relay"
    assert (theirs["level"], theirs["logger"]) == ("warning", "aiokafka.client")


def test_the_level_and_the_libraries_own_level_hold(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("relay", "INFO", "json")
    structlog.stdlib.get_logger("ours").debug("hidden")
    logging.getLogger("asyncpg.pool").info("hidden")
    assert capsys.readouterr().err == ""


def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("relay", "INFO", "json")
    try:
        raise ValueError("ada@example.com")
    except ValueError:
        structlog.stdlib.get_logger("ours").exception("failed")
        logging.getLogger("asyncpg").exception("failed")
    written = capsys.readouterr().err
    assert "ada@" not in written
    for line in map(json.loads, written.splitlines()):
        assert line["error"]["type"] == "builtins.ValueError"
        assert "test_shared_logs.py" in line["error"]["at"][0]


def test_the_systems_reason_is_kept() -> None:
    assert describe_error(ConnectionRefusedError(111, "Connection refused"))["reason"] == (
        "Connection refused"
    )
