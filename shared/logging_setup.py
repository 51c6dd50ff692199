"""Sets up logging: one format for Tandem's and the libraries' records, without exception messages.

An exception's message may quote personal data (a unique violation quotes the key, a validation
error the input). A record therefore carries only its type and the place where it was raised.
"""

import logging
import sys
import traceback
from collections.abc import Callable, MutableMapping
from typing import Any, Final, Literal

import structlog

LogFormat = Literal["auto", "json", "console"]
Event = MutableMapping[str, Any]

_MAX_FRAMES: Final = 12
_LIBRARIES_AT_WARNING: Final = ("aiokafka", "faststream", "asyncpg", "asyncio")


def configure_logging(process: str, level: str = "INFO", log_format: LogFormat = "auto") -> None:
    """Write every log record of this process to standard error, libraries' from WARNING on.

    `auto` writes JSON lines, or readable text if standard error is a terminal.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        _name_process(process),
        _without_values,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.PositionalArgumentsFormatter(), *shared],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                _renderer(log_format),
            ],
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for library in _LIBRARIES_AT_WARNING:
        logging.getLogger(library).setLevel(max(logging.WARNING, root.level))


def describe_error(error: BaseException) -> dict[str, Any]:
    """An exception without its message: its type, where it was raised, its cause."""
    frames = traceback.extract_tb(error.__traceback__)[-_MAX_FRAMES:]
    found: dict[str, Any] = {
        "type": f"{type(error).__module__}.{type(error).__qualname__}",
        "at": [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames],
    }
    if isinstance(error, OSError) and error.strerror:
        found["reason"] = error.strerror
    sqlstate = getattr(error, "sqlstate", None)
    if isinstance(sqlstate, str):
        found["sqlstate"] = sqlstate
    cause = error.__cause__ or (None if error.__suppress_context__ else error.__context__)
    if cause is not None:
        found["cause"] = f"{type(cause).__module__}.{type(cause).__qualname__}"
    return found


class LogThrottle:
    """Limits a recurring log event to one per key in `interval_s`."""

    def __init__(self, interval_s: float, clock: Callable[[], float]) -> None:
        self._interval_s = interval_s
        self._clock = clock
        self._allowed_at: dict[str, float] = {}

    def allow(self, key: str) -> bool:
        """Whether the event may be logged now; if so, the interval starts again."""
        now = self._clock()
        last = self._allowed_at.get(key)
        if last is not None and now - last < self._interval_s:
            return False
        self._allowed_at[key] = now
        return True


def _renderer(log_format: LogFormat) -> structlog.typing.Processor:
    if log_format == "console" or (log_format == "auto" and sys.stderr.isatty()):
        return structlog.dev.ConsoleRenderer()
    return structlog.processors.JSONRenderer()


def _name_process(process: str) -> structlog.typing.Processor:
    def add(_logger: Any, _method: str, event: Event) -> Event:
        event["process"] = process
        return event

    return add


def _without_values(_logger: Any, _method: str, event: Event) -> Event:
    raised = event.pop("exc_info", None)
    if raised is True:
        raised = sys.exc_info()
    if isinstance(raised, tuple):
        raised = raised[1]
    if isinstance(raised, BaseException):
        event["error"] = describe_error(raised)
    return event
