"""The requests of the clients and their responses: one line of JSON per request."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Side = Literal["commands", "reads"]
Outcome = Literal["ok", "rejected", "unknown"]

_UNDECIDED_CONFLICT = "idempotency-key-in-use"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One request. `status` 0: no response. Times are seconds since the start of the system.

    Each command has its own `caller`, so that the actor of its events identifies it. `response` is
    the document, the `[id, version]` pairs of a list, or another extract; `error` is the reason why
    there was no response, or the detail of the problem.
    """

    at: float
    duration_s: float
    side: Side
    name: str
    caller: str
    method: str
    path: str
    id: str | None = None
    key: str | None = None
    request: Any = None
    token: str = ""
    wait: float = 0.0
    status: int = 0
    error: str | None = None
    problem: str | None = None
    retry_after: str | None = None
    replayed: bool = False
    version: int | None = None
    response_token: str | None = None
    response: Any = None

    @property
    def outcome(self) -> Outcome:
        """`unknown`: only a retry can determine whether the command took effect."""
        if 200 <= self.status < 400:
            return "ok"
        undecided = self.status in (0, 429) or self.status >= 500
        if undecided or self.problem == _UNDECIDED_CONFLICT:
            return "unknown"
        return "rejected"


@dataclass(slots=True)
class Operation:
    """One command with all its attempts, in the order of their responses."""

    attempts: list[Attempt] = field(default_factory=list)

    @property
    def first(self) -> Attempt:
        return self.attempts[0]

    @property
    def decided(self) -> list[Attempt]:
        return [attempt for attempt in self.attempts if attempt.outcome != "unknown"]

    @property
    def accepted(self) -> Attempt | None:
        return next((a for a in self.attempts if a.outcome == "ok"), None)


def operations(attempts: Iterable[Attempt]) -> dict[str, Operation]:
    """The commands by caller."""
    found: dict[str, Operation] = {}
    for attempt in attempts:
        if attempt.side == "commands":
            found.setdefault(attempt.caller, Operation()).attempts.append(attempt)
    return found


class History:
    """Stores attempts in memory and, line by line, in a file, so that interrupted runs have one."""

    def __init__(self, path: Path) -> None:
        self.attempts: list[Attempt] = []
        self._file = path.open("w", buffering=1)

    def add(self, attempt: Attempt) -> Attempt:
        self.attempts.append(attempt)
        self._file.write(json.dumps(asdict(attempt)) + "\n")
        return attempt

    def close(self) -> None:
        self._file.close()


def read_history(path: Path) -> Iterator[Attempt]:
    """The attempts in the file of a history."""
    for line in path.read_text().splitlines():
        yield Attempt(**json.loads(line))
