"""No process grows without bound, and none ends by itself."""

from faults.evidence import Evidence


def bounded(evidence: Evidence) -> list[str]:
    most: dict[str, float] = {}
    for sample in evidence.samples:
        most[sample.process] = max(most.get(sample.process, 0), sample.rss_mb)
    found = [
        f"{process} took {rss:.0f} MB, {evidence.limits.memory_mb:.0f} are allowed"
        for process, rss in most.items()
        if rss > evidence.limits.memory_mb
    ]
    return found + [f"{process} ended by itself" for process in evidence.ended]
