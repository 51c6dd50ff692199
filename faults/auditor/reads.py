"""No read is stale, and none returns the data of another owner."""

from typing import Any, Final

from faults.evidence import Evidence
from faults.history import Attempt
from query_service.http.parameters import MAX_LIMIT
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS
from shared.contracts.tokens import parse_token

_DOCUMENTS: Final = ("GetUserById", "GetProduct", "GetOrderSummary")
_LISTS: Final = ("ListUsers", "ListProducts", "ListOrders", "GetCustomerOrders")


def never_stale(evidence: Evidence) -> list[str]:
    return [
        f"{read.name} {read.path} at {read.at:.2f} with {read.token}: {line}"
        for read in (*evidence.attempts, *evidence.final)
        if read.side == "reads"
        for line in _check_read(evidence, read)
    ]


def only_own_documents(evidence: Evidence) -> list[str]:
    found: list[str] = []
    for read in (*evidence.attempts, *evidence.final):
        if read.side != "reads" or read.status != 200:
            continue
        response, own = read.response, read.caller != "reader"
        if read.name in _DOCUMENTS and response["id"] != read.id:
            found.append(f"a read of {read.id} returned {response['id']}")
        if read.name == "GetOrderSummary" and own and response["customer_id"] != read.caller:
            found.append(f"{read.caller} received an order of {response['customer_id']}")
        if read.name == "GetCustomerOrders" and set(response["owners"]) - {read.id}:
            found.append(f"the orders of {read.id} include those of {response['owners']}")
    return found


def _check_read(evidence: Evidence, read: Attempt) -> list[str]:
    required = parse_token(read.token, DEFAULT_PARTITIONS) if read.token else {}
    if read.status == 404 and read.name in _DOCUMENTS and read.id:
        return _absent(evidence, read, required)
    if read.status != 200:
        return []
    returned = parse_token(read.response_token, DEFAULT_PARTITIONS) if read.response_token else {}
    found = [
        f"the token of the response has {shard} at {returned.get(shard)}"
        for shard, position in required.items()
        if returned.get(shard, 0) < position
    ]
    if read.name in _DOCUMENTS and read.id:
        return found + _document(evidence, read, required, returned)
    if read.name == "GetHistory" and read.id:
        return found + _history(evidence, read, required)
    if read.name in _LISTS:
        return found + _list(evidence, read, required)
    if read.name == "GetDashboard":
        return found + _dashboard(evidence, read, required)
    return found


def _absent(evidence: Evidence, read: Attempt, required: dict[str, int]) -> list[str]:
    records = evidence.by_subject.get(read.id or "", [])
    erased = any(record.type == "user.erased" for record in records)
    covered = [r for r in records if r.position <= required.get(r.shard, 0)]
    return ["404 for an event that its token covers"] if covered and not erased else []


def _document(
    evidence: Evidence, read: Attempt, required: dict[str, int], returned: dict[str, int]
) -> list[str]:
    records = evidence.by_subject.get(read.id or "", [])
    found, version = [], read.version or 0
    if version < (minimum := _version_at(evidence, records, required)):
        found.append(f"version {version}, the token covers {minimum}")
    if version > len(records):
        found.append(f"version {version}, the event log has {len(records)}")
    elif records[version - 1].position > returned.get(records[0].shard, 0):
        found.append("the token of the response does not cover the document")
    return found


def _history(evidence: Evidence, read: Attempt, required: dict[str, int]) -> list[str]:
    """The first page contains the events that the token covers, up to its limit."""
    at_token = _version_at(evidence, evidence.by_subject.get(read.id or "", []), required)
    minimum = min(at_token, MAX_LIMIT)
    versions: list[int] = read.response["versions"]
    if versions != list(range(1, len(versions) + 1)):
        return [f"the history is {versions}"]
    return [f"{len(versions)} items, the token covers {minimum}"] if len(versions) < minimum else []


def _list(evidence: Evidence, read: Attempt, required: dict[str, int]) -> list[str]:
    """No item is older than the token, and a single page contains all orders of a customer."""
    listed: list[list[Any]] = read.response["list"]
    found = []
    for id, version in listed:
        minimum = _version_at(evidence, evidence.by_subject.get(id, []), required)
        if version < minimum:
            found.append(f"{id} at version {version}, the token covers {minimum}")
    if read.name == "GetCustomerOrders" and not read.response["next"]:
        ids = {id for id, _ in listed}
        for record in evidence.records:
            if record.type == "order.placed" and record.position <= required.get(record.shard, 0):
                of_customer = evidence.data(record)["customer_id"] == read.id
                if of_customer and record.subject not in ids:
                    found.append(f"order {record.subject} is missing")
    return found


def _dashboard(evidence: Evidence, read: Attempt, required: dict[str, int]) -> list[str]:
    covered = sum(
        1
        for record in evidence.records
        if record.type == "order.placed" and record.position <= required.get(record.shard, 0)
    )
    total = read.response["orders"]["total"]
    return [f"{total} orders, the token covers {covered}"] if total < covered else []


def _version_at(evidence: Evidence, records: list[Record], positions: dict[str, int]) -> int:
    return sum(1 for record in records if record.position <= positions.get(record.shard, 0))
