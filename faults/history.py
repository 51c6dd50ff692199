"""What the clients did and what they were told: one line of JSON for each request sent."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

Part = Literal["commands", "reads"]
Outcome = Literal["ok", "refused", "unknown"]

_UNDECIDED_CONFLICT = "idempotency-key-in-use"


@dataclass(slots=True, kw_only=True)
class Attempt:
    """One request. `status` 0: no answer came. Times are seconds since the load began.

    A command's `caller` is its own alone, so the log's actor names it; it is also what its key
    belongs to. `answer` is the document read, the list's `[id, version]` pairs, or what else
    there is to judge; `error` says why there was no answer, or what the problem's detail says.
    """

    at: float
    took: float
    part: Part
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
    answer_token: str | None = None
    answer: Any = None

    @property
    def outcome(self) -> Outcome:
        """`unknown`: whether it took effect can be told by asking again only."""
        if 200 <= self.status < 400:
            return "ok"
        undecided = self.status in (0, 429) or self.status >= 500
        if undecided or self.problem == _UNDECIDED_CONFLICT:
            return "unknown"
        return "refused"


@dataclass(slots=True)
class Operation:
    """One command with all its attempts, in the order of their answers."""

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
    """The commands, by their caller."""
    found: dict[str, Operation] = {}
    for attempt in attempts:
        if attempt.part == "commands":
            found.setdefault(attempt.caller, Operation()).attempts.append(attempt)
    return found


class History:
    """Keeps attempts in memory and, line by line, in a file: a run that is cut off is kept too."""

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
    """The attempts of a history that was kept."""
    for line in path.read_text().splitlines():
        yield Attempt(**json.loads(line))
