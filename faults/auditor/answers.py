"""During the fault its own parts say 409, 412, 429 or 503 in time; the others notice nothing."""

from typing import Final

from faults.evidence import Evidence
from faults.history import Attempt
from faults.limits import Limits

_DECIDED: Final = (404, 409, 412, 422)
_LATER: Final = (429, 503)
_ASK_AGAIN: Final = ("idempotency-key-in-use", "projection-behind")


def only_what_the_fault_allows(evidence: Evidence) -> list[str]:
    return [
        f"{attempt.part}: {attempt.name} {attempt.path} at {attempt.at:.2f}: {line}"
        for attempt in (*evidence.attempts, *evidence.final)
        if (line := _wrong(attempt, evidence.limits))
    ]


def _wrong(attempt: Attempt, limits: Limits) -> str | None:
    reachable = attempt.part not in limits.unreachable
    if attempt.status == 0:
        return f"no answer ({attempt.error})" if reachable else None
    if reachable and attempt.took > limits.answer + attempt.wait:
        return f"answered after {attempt.took:.1f} s"
    if attempt.status < 400:
        return None
    asks_again = attempt.status in _LATER or attempt.problem in _ASK_AGAIN
    if asks_again and not attempt.retry_after:
        return f"{attempt.status} {attempt.problem} without Retry-After"
    if attempt.status in _LATER and attempt.part not in limits.goes_on:
        return None
    if attempt.status not in _DECIDED:
        return f"{attempt.status} {attempt.problem}"
    if attempt.part == "reads" and attempt.status == 412 and not attempt.token:
        return "412 without a token"
    return None
