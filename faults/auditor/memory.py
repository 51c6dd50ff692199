"""No process exceeds the maximum of resident memory, and none ends unexpectedly."""

from faults.evidence import Evidence


def bounded(evidence: Evidence) -> list[str]:
    peaks: dict[str, float] = {}
    for sample in evidence.samples:
        peaks[sample.process] = max(peaks.get(sample.process, 0), sample.rss_mb)
    found = [
        f"{process} used {rss:.0f} MB, the maximum is {evidence.limits.max_memory_mb:.0f}"
        for process, rss in peaks.items()
        if rss > evidence.limits.max_memory_mb
    ]
    return found + [f"{process} ended unexpectedly" for process in evidence.unexpected_exits]
