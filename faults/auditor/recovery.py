"""After the fault the system recovers without intervention, within the limit of the scenario."""

from faults.evidence import Evidence


def recovered_in_time(evidence: Evidence) -> list[str]:
    limit_s = evidence.limits.recovery_s
    if evidence.recovery_s is None:
        return [f"no recovery within {limit_s:.0f} s"]
    found = []
    if evidence.recovery_s > limit_s:
        found.append(f"recovery after {evidence.recovery_s:.1f} s, the maximum is {limit_s:.0f} s")
    return found + [
        f"{read.name} {read.path} returned {read.status} {read.problem} "
        f"({read.error}) after the recovery"
        for read in evidence.final
        if read.status != 200 and not _may_be_absent(evidence, read.id)
    ]


def _may_be_absent(evidence: Evidence, id: str | None) -> bool:
    """An erased user, or an aggregate of a history that the scenario lost."""
    records = evidence.by_subject.get(id or "", [])
    lost = bool(evidence.void_callers) and id is not None and not records
    return lost or any(record.type == "user.erased" for record in records)
