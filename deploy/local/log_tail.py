"""The last line of a process's log, for a one-line error message."""

import json
from pathlib import Path

MAX_LINE_LENGTH = 300
NO_OUTPUT = "no output"


def last_log_line(log: Path, start: int = 0) -> str:
    """The last line after byte `start`, and the path of the log."""
    if not log.exists():
        return f"{NO_OUTPUT} ({log})"
    with log.open("rb") as file:
        file.seek(start if start <= log.stat().st_size else 0)
        text = file.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{_plain(lines[-1])[:MAX_LINE_LENGTH] if lines else NO_OUTPUT} ({log})"


def _plain(line: str) -> str:
    """The event and the error of a line that one of Tandem's processes logged as JSON."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    error = record.get("error")
    if isinstance(error, dict):
        error = error.get("reason") or error.get("type")
    return ": ".join(str(part) for part in (record.get("event"), error) if part) or line
