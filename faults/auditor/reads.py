"""No read is from before its token, and none has what belongs to somebody else."""

from typing import Any, Final

from faults.evidence import Evidence
from faults.history import Attempt
from query_service.http.parameters import MAX_LIMIT
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.contracts.tokens import parse_token

_DOCUMENTS: Final = ("GetUserById", "GetProduct", "GetOrderSummary")
_LISTS: Final = ("ListUsers", "ListProducts", "ListOrders", "GetCustomerOrders")


def never_before_their_token(evidence: Evidence) -> list[str]:
    return [
        f"{read.name} {read.path} at {read.at:.2f} with {read.token}: {line}"
        for read in (*evidence.attempts, *evidence.final)
        if read.part == "reads"
        for line in _one_read(evidence, read)
    ]


def nobody_elses_bytes(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for read in (*evidence.attempts, *evidence.final):
        if read.part != "reads" or read.status != 200:
            continue
        answer, own = read.answer, read.caller != "reader"
        if read.name in _DOCUMENTS and answer["id"] != read.id:
            found.append(f"asked for {read.id}, got {answer['id']}")
        if read.name == "GetOrderSummary" and own and answer["customer_id"] != read.caller:
            found.append(f"{read.caller} got an order of {answer['customer_id']}")
        if read.name == "GetCustomerOrders" and set(answer["owners"]) - {read.id}:
            found.append(f"asked for the orders of {read.id}, got those of {answer['owners']}")
    return found


def _one_read(evidence: Evidence, read: Attempt) -> list[str]:
    asked = parse_token(read.token, DEFAULT_PARTITIONS) if read.token else {}
    if read.status == 404 and read.name in _DOCUMENTS and read.id:
        return _absent(evidence, read, asked)
    if read.status != 200:
        return []
    given = parse_token(read.answer_token, DEFAULT_PARTITIONS) if read.answer_token else {}
    found = [
        f"the answer's token has {shard} at {given.get(shard)}"
        for shard, position in asked.items()
        if given.get(shard, 0) < position
    ]
    if read.name in _DOCUMENTS and read.id:
        return found + _document(evidence, read, asked, given)
    if read.name == "GetHistory" and read.id:
        return found + _history(evidence, read, asked)
    if read.name in _LISTS:
        return found + _list(evidence, read, asked)
    if read.name == "GetDashboard":
        return found + _dashboard(evidence, read, asked)
    return found


def _absent(evidence: Evidence, read: Attempt, asked: dict[str, int]) -> list[str]:
    records = evidence.by_subject.get(read.id or "", [])
    erased = any(record.type == "user.erased" for record in records)
    covered = [r for r in records if r.position <= asked.get(r.shard, 0)]
    return ["404 for what its token stands for"] if covered and not erased else []


def _document(
    evidence: Evidence, read: Attempt, asked: dict[str, int], given: dict[str, int]
) -> list[str]:
    records = evidence.by_subject.get(read.id or "", [])
    found, version = [], read.version or 0
    if version < (least := _version_at(evidence, records, asked)):
        found.append(f"version {version}, the token stands for {least}")
    if version > len(records):
        found.append(f"version {version}, the log has {len(records)}")
    elif records[version - 1].position > given.get(records[0].shard, 0):
        found.append("the answer's token does not cover what was read")
    return found


def _history(evidence: Evidence, read: Attempt, asked: dict[str, int]) -> list[str]:
    """The first page: it holds what the token stands for, as far as it reaches."""
    at_token = _version_at(evidence, evidence.by_subject.get(read.id or "", []), asked)
    least = min(at_token, MAX_LIMIT)
    versions: list[int] = read.answer["versions"]
    if versions != list(range(1, len(versions) + 1)):
        return [f"the history is {versions}"]
    return [f"{len(versions)} items, the token stands for {least}"] if len(versions) < least else []


def _list(evidence: Evidence, read: Attempt, asked: dict[str, int]) -> list[str]:
    """What is in the list is not older than the token, and nothing is left out of one page."""
    listed: list[list[Any]] = read.answer["list"]
    found = []
    for id, version in listed:
        least = _version_at(evidence, evidence.by_subject.get(id, []), asked)
        if version < least:
            found.append(f"{id} at version {version}, the token stands for {least}")
    if read.name == "GetCustomerOrders" and not read.answer["next"]:
        ids = {id for id, _ in listed}
        for record in evidence.records:
            if record.type == "order.placed" and record.position <= asked.get(record.shard, 0):
                of_customer = evidence.data(record)["customer_id"] == read.id
                if of_customer and record.subject not in ids:
                    found.append(f"order {record.subject} is missing")
    return found


def _dashboard(evidence: Evidence, read: Attempt, asked: dict[str, int]) -> list[str]:
    covered = sum(
        1
        for record in evidence.records
        if record.type == "order.placed" and record.position <= asked.get(record.shard, 0)
    )
    total = read.answer["orders"]["total"]
    return [f"{total} orders, the token stands for {covered}"] if total < covered else []


def _version_at(evidence: Evidence, records: list[Record], positions: dict[str, int]) -> int:
    return sum(1 for record in records if record.position <= positions.get(record.shard, 0))
