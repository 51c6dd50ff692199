"""What a process said last, for the one line of an error."""

import json
from pathlib import Path

LONGEST = 300


def last_log_line(log: Path, since: int = 0) -> str:
    """The last line, and the file with the others. `since`: the size of what was there before."""
    if not log.exists():
        return f"it said nothing ({log})"
    with log.open("rb") as file:
        file.seek(since if since <= log.stat().st_size else 0)
        text = file.read().decode(errors="replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return f"{_plain(lines[-1])[:LONGEST] if lines else 'it said nothing'} ({log})"


def _plain(line: str) -> str:
    """Our own processes write JSON; the event and the error of it are what a person wants."""
    try:
        record = json.loads(line)
    except ValueError:
        return line
    if not isinstance(record, dict):
        return line
    said = [str(record[key]) for key in ("event", "message", "error", "detail") if record.get(key)]
    return ": ".join(said) or line
