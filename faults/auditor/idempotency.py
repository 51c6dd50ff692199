"""All responses to the same idempotency key are the same."""

from faults.evidence import Evidence
from faults.history import Attempt, Operation


def identical_responses(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for caller, operation in evidence.commands.items():
        responses = {_content(attempt) for attempt in operation.decided if _is_stored(attempt)}
        if len(responses) > 1:
            found.append(
                f"{caller} {operation.first.name}: different responses {sorted(responses)}"
            )
        found += [f"{caller} {line}" for line in _unmarked(operation)]
    return found


def _unmarked(operation: Operation) -> list[str]:
    """At most one accepted response is not marked as replayed."""
    accepted = [attempt for attempt in operation.attempts if attempt.outcome == "ok"]
    original = [attempt for attempt in accepted if not attempt.replayed]
    return (
        [f"{operation.first.name} has {len(original)} responses that are not marked as replayed"]
        if len(original) > 1
        else []
    )


def _is_stored(attempt: Attempt) -> bool:
    """Responses to malformed requests are not stored, those of rejected commands are."""
    return attempt.outcome == "ok" or attempt.status in (404, 409, 412, 422)


def _content(attempt: Attempt) -> tuple[str, ...]:
    parts = (attempt.status, attempt.problem, attempt.id, attempt.version, attempt.response_token)
    return tuple(map(str, parts))
