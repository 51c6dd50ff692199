"""The format of log records, which contain no exception messages."""

import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from shared.logging_setup import LogThrottle, configure_logging, describe_error


@pytest.fixture(autouse=True)
def restored_loggers() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.reset_defaults()


def test_records_of_tandem_and_of_libraries_are_json_lines(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("relay", "INFO", "json")
    structlog.stdlib.get_logger("tandem").info("started", shard="orders.7")
    logging.getLogger("aiokafka.client").warning("no %s", "broker")
    own, library = map(json.loads, capsys.readouterr().err.splitlines())
    assert own["event"] == "started"
    assert own["shard"] == "orders.7"
    assert own["timestamp"].endswith("Z")
    assert library["event"] == "no broker"
    assert library["process"] == own["process"] == "relay"
    assert (library["level"], library["logger"]) == ("warning", "aiokafka.client")


def test_the_level_and_the_libraries_minimum_level_are_applied(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logging("relay", "INFO", "json")
    structlog.stdlib.get_logger("tandem").debug("hidden")
    logging.getLogger("asyncpg.pool").info("hidden")
    assert capsys.readouterr().err == ""


def test_an_exception_is_logged_without_its_message(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging("relay", "INFO", "json")
    try:
        raise ValueError("ada@example.com")
    except ValueError:
        structlog.stdlib.get_logger("tandem").exception("failed")
        logging.getLogger("asyncpg").exception("failed")
    written = capsys.readouterr().err
    assert "ada@" not in written
    for line in map(json.loads, written.splitlines()):
        assert line["error"]["type"] == "builtins.ValueError"
        assert "test_logging_setup.py" in line["error"]["at"][0]


def test_the_operating_systems_reason_is_logged() -> None:
    assert describe_error(ConnectionRefusedError(111, "Connection refused"))["reason"] == (
        "Connection refused"
    )


def test_a_recurring_event_is_logged_once_per_key_and_interval() -> None:
    now = 0.0
    throttle = LogThrottle(60.0, lambda: now)
    assert [throttle.allow(key) for key in ("redis", "redis", "kafka")] == [True, False, True]
    now = 60.0
    assert throttle.allow("redis")
