"""Redis contains the fold of the event log: documents, histories, lists, search, dashboard."""

from faults.evidence import Evidence
from tests.support.expected_views import Content, differences, expected_content


def equal_to_fold(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for shard in sorted(evidence.event_log.keys() | evidence.views.keys()):
        expected = expected_content(shard, evidence.event_log.get(shard, []))
        found += differences(expected, evidence.views.get(shard, Content()))
    return found
