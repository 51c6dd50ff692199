"""The same key gives the same answer, however often it is sent."""

from faults.evidence import Evidence
from faults.history import Attempt, Operation


def identical(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for caller, operation in evidence.commands.items():
        answers = {_answer(attempt) for attempt in operation.decided if _is_stored(attempt)}
        if len(answers) > 1:
            found.append(f"{caller} {operation.first.name}: different answers {sorted(answers)}")
        found += [f"{caller} {line}" for line in _unmarked(operation)]
    return found


def _unmarked(operation: Operation) -> list[str]:
    """Of several accepted answers one was the first at most; the others say that they repeat."""
    accepted = [attempt for attempt in operation.attempts if attempt.outcome == "ok"]
    fresh = [attempt for attempt in accepted if not attempt.replayed]
    return [f"{operation.first.name} was new {len(fresh)} times"] if len(fresh) > 1 else []


def _is_stored(attempt: Attempt) -> bool:
    """What the present decided is kept with the key; a malformed request is not."""
    return attempt.outcome == "ok" or attempt.status in (404, 409, 412, 422)


def _answer(attempt: Attempt) -> tuple[str, ...]:
    parts = (attempt.status, attempt.problem, attempt.id, attempt.version, attempt.answer_token)
    return tuple(map(str, parts))
