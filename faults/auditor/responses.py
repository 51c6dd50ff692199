"""During the fault the affected sides respond 409, 412, 429 or 503 in time, the others normally."""

from typing import Final

from faults.evidence import Evidence
from faults.history import Attempt
from faults.limits import Limits

_DECIDED: Final = (404, 409, 412, 422)
_RETRYABLE: Final = (429, 503)
_RETRYABLE_PROBLEMS: Final = ("idempotency-key-in-use", "projection-behind")


def only_permitted(evidence: Evidence) -> list[str]:
    return [
        f"{attempt.side}: {attempt.name} {attempt.path} at {attempt.at:.2f}: {line}"
        for attempt in (*evidence.attempts, *evidence.final)
        if (line := _violation(attempt, evidence.limits))
    ]


def _violation(attempt: Attempt, limits: Limits) -> str | None:
    reachable = attempt.side not in limits.unreachable
    if attempt.status == 0:
        return f"no response ({attempt.error})" if reachable else None
    if reachable and attempt.duration_s > limits.response_timeout_s + attempt.wait:
        return f"response after {attempt.duration_s:.1f} s"
    if attempt.status < 400:
        return None
    retryable = attempt.status in _RETRYABLE or attempt.problem in _RETRYABLE_PROBLEMS
    if retryable and not attempt.retry_after:
        return f"{attempt.status} {attempt.problem} without Retry-After"
    if attempt.status in _RETRYABLE and attempt.side not in limits.unaffected:
        return None
    if attempt.status not in _DECIDED:
        return f"{attempt.status} {attempt.problem}"
    if attempt.side == "reads" and attempt.status == 412 and not attempt.token:
        return "412 without a token"
    return None
