"""After the fault everything becomes level by itself, within the scenario's time, and stays so."""

from faults.evidence import Evidence


def level_in_time(evidence: Evidence) -> list[str]:
    within = evidence.limits.recovery
    if evidence.seconds is None:
        return [f"not level {within:.0f} s after the fault"]
    found = []
    if evidence.seconds > within:
        found.append(f"level after {evidence.seconds:.1f} s, {within:.0f} are allowed")
    return found + [
        f"{read.name} {read.path} answers {read.status} {read.problem} "
        f"({read.error}) when all is level"
        for read in evidence.final
        if read.status != 200 and not _gone(evidence, read.id)
    ]


def _gone(evidence: Evidence, id: str | None) -> bool:
    """A user who was erased, or what was made in a history that was lost on purpose."""
    records = evidence.by_subject.get(id or "", [])
    lost = bool(evidence.void) and id is not None and not records
    return lost or any(record.type == "user.erased" for record in records)
