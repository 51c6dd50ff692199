"""Defects that the auditor must detect, each a change of the evidence of a clean run.

Long, because it is a list of independent functions.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from faults.evidence import AggregateRow, Evidence, MemorySample
from faults.history import Attempt, Side
from faults.limits import Limits
from shared.contracts.records import Record
from shared.contracts.shards import DEFAULT_PARTITIONS, Topic, shard_of
from tests.faults.clean_run import (
    ORDER,
    OTHER,
    OVERDUE,
    PRODUCT,
    REFUNDED,
    USER,
    changed,
    erase,
    pay,
)

Defect = Callable[[Evidence], None]


def _shard(topic: Topic, id: str) -> str:
    return shard_of(topic, id, DEFAULT_PARTITIONS)


def _change(evidence: Evidence, index: int, **changes: Any) -> None:
    evidence.attempts[index] = replace(evidence.attempts[index], **changes)


def _add(evidence: Evidence, attempt: Attempt, **changes: Any) -> None:
    evidence.attempts.append(replace(attempt, **changes))


CREATE, PLACE, SHIP, SHIP_REPLAYED, REJECTED, READ, LIST = 0, 5, 6, 7, 8, 9, 10


def an_acknowledged_command_is_missing(e: Evidence) -> None:
    _add(e, e.attempts[CREATE], caller="lost")


def a_command_is_in_the_event_log_twice(e: Evidence) -> None:
    records = e.event_log[_shard("orders", ORDER)]
    shipped = changed(records[1], version=3)
    records.append(shipped._replace(position=3, event_id="another"))


def an_unknown_command_is_in_the_event_log_twice(e: Evidence) -> None:
    a_command_is_in_the_event_log_twice(e)
    e.attempts[SHIP : SHIP_REPLAYED + 1] = [
        replace(e.attempts[SHIP], status=0, error="ReadTimeout")
    ]


def a_rejected_command_is_in_the_event_log(e: Evidence) -> None:
    e.attempts[SHIP : SHIP_REPLAYED + 1] = [
        replace(e.attempts[REJECTED], caller="f", name="ShipOrder")
    ]


def an_event_has_no_command(e: Evidence) -> None:
    del e.attempts[SHIP : SHIP_REPLAYED + 1]


def a_response_has_another_version(e: Evidence) -> None:
    _change(e, CREATE, version=2)


def a_token_does_not_cover_all_events_of_its_command(e: Evidence) -> None:
    _change(e, PLACE, response_token=f"{_shard('orders', ORDER)}:1")


def an_order_reserved_less_than_requested(e: Evidence) -> None:
    _change(e, PLACE, request={"items": [{"product_id": PRODUCT, "quantity": 4}]})


def a_command_stays_unknown(e: Evidence) -> None:
    _add(e, e.attempts[4], caller="late", request={"items": []})


def a_replayed_response_differs(e: Evidence) -> None:
    _change(e, SHIP_REPLAYED, version=3)


def two_responses_to_a_key_are_not_marked_as_replayed(e: Evidence) -> None:
    _change(e, SHIP_REPLAYED, replayed=False)


def the_event_log_has_a_gap(e: Evidence) -> None:
    records = e.event_log[_shard("orders", ORDER)]
    records[1] = records[1]._replace(position=3)


def two_events_have_the_same_id(e: Evidence) -> None:
    records = e.event_log[_shard("orders", ORDER)]
    records[1] = records[1]._replace(event_id=records[0].event_id)


def a_version_is_missing(e: Evidence) -> None:
    records = e.event_log[_shard("orders", ORDER)]
    records[1] = changed(records[1], version=3)


def a_row_is_behind_the_event_log(e: Evidence) -> None:
    e.rows[ORDER] = AggregateRow(1)


def stock_was_sold_twice(e: Evidence) -> None:
    records = e.event_log[_shard("products", PRODUCT)]
    records[1] = changed(records[1], quantity=11, stock=-1)


def a_row_has_more_stock_than_the_event_log(e: Evidence) -> None:
    e.rows[PRODUCT] = AggregateRow(2, 10)


def a_topic_lacks_an_event(e: Evidence) -> None:
    e.topics[_shard("orders", ORDER)].pop()


def a_topic_has_events_out_of_order(e: Evidence) -> None:
    e.topics[_shard("orders", ORDER)].reverse()


def a_topic_has_an_additional_event(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(records[-1]._replace(position=3, event_id="another"))


def a_duplicate_is_a_different_event(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(records[-1]._replace(event_id="another"))


def a_duplicate_has_different_data(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(changed(records[0], customer_id=OTHER))


def a_document_is_missing(e: Evidence) -> None:
    values = e.views[_shard("orders", ORDER)].values
    del values[next(key for key in values if ":document:" in key)]


def a_list_lacks_an_order(e: Evidence) -> None:
    members = e.views[_shard("orders", ORDER)].members
    del members[next(key for key in members if ":customer:" in key)]


def the_dashboard_counts_an_order_twice(e: Evidence) -> None:
    values = e.views[_shard("orders", ORDER)].values
    key = next(key for key in values if key.endswith(":dashboard"))
    values[key] = values[key].replace(b"750", b"1500")


def a_document_is_stale(e: Evidence) -> None:
    _change(e, READ, version=1, response={"id": USER, "version": 1})


def a_covered_document_is_not_found(e: Evidence) -> None:
    _change(e, READ, status=404, problem="not-found")


def a_document_has_a_version_that_does_not_exist(e: Evidence) -> None:
    _change(e, READ, version=3, response={"id": USER, "version": 3})


def the_token_of_a_response_does_not_cover_it(e: Evidence) -> None:
    _change(e, READ, token="", response_token=f"{_shard('users', USER)}:1")


def the_token_of_a_response_does_not_cover_the_requests(e: Evidence) -> None:
    _change(e, LIST, response_token=f"{_shard('orders', ORDER)}:1")


def a_list_is_stale(e: Evidence) -> None:
    _change(e, LIST, response={"list": [], "owners": [], "next": False})


def a_listed_order_is_stale(e: Evidence) -> None:
    _change(e, LIST, response={"list": [[ORDER, 1]], "owners": [USER], "next": False})


def a_history_is_stale(e: Evidence) -> None:
    _add(e, e.attempts[READ], name="GetHistory", response={"versions": [1]})


def a_dashboard_is_stale(e: Evidence) -> None:
    response = {"orders": {"total": 0}}
    _add(e, e.attempts[LIST], name="GetDashboard", path="/v1/dashboard", response=response)


def a_read_returns_another_document(e: Evidence) -> None:
    _change(e, READ, response={"id": OTHER, "version": 2})


def a_caller_receives_the_order_of_another_user(e: Evidence) -> None:
    response = {"id": ORDER, "version": 2, "customer_id": USER}
    path = f"/v1/orders/{ORDER}"
    _add(e, e.attempts[READ], name="GetOrderSummary", path=path, id=ORDER, caller=OTHER,
         token="", response_token=f"{_shard('orders', ORDER)}:2", response=response)  # fmt: skip


def a_list_has_the_orders_of_another_user(e: Evidence) -> None:
    _change(e, LIST, response={"list": [[ORDER, 2]], "owners": [USER, OTHER], "next": False})


def an_event_of_an_erased_user_has_a_name(e: Evidence) -> None:
    erase(e)
    records = e.event_log[_shard("users", USER)]
    records[-2] = changed(records[-2], name="Ada Lovelace")


def an_order_of_an_erased_user_has_an_address(e: Evidence) -> None:
    erase(e)
    records = e.event_log[_shard("orders", ORDER)]
    records[0] = changed(records[0], shipping_address="1 Main Street")


def a_table_has_the_email_of_an_erased_user(e: Evidence) -> None:
    erase(e)
    e.texts["table users"] = b"(1,ada@example.com)"


def a_view_has_the_name_of_an_erased_user(e: Evidence) -> None:
    erase(e)
    values = e.views[_shard("orders", ORDER)].values
    key = next(key for key in values if ":document:" in key)
    values[key] = values[key].replace(b'"customer_name":null', b'"customer_name":"Ada"')


def a_log_has_the_name_of_an_erased_user(e: Evidence) -> None:
    erase(e)
    e.texts["log of relay"] = b'{"event": "event_published", "name": "Ada"}'


def _paying(change: Callable[[Evidence, list[Record]], None], order: str) -> Defect:
    """Changes a run with payments; `change` gets the events of the order's shard."""

    def defect(e: Evidence) -> None:
        pay(e)
        change(e, e.event_log[_shard("orders", order)])

    defect.__name__ = change.__name__
    return defect


def _index(records: list[Record], id: str, type: str) -> int:
    return next(i for i, r in enumerate(records) if (r.subject, r.type) == (id, type))


def an_order_is_paid_twice(e: Evidence, records: list[Record]) -> None:
    records.append(records[_index(records, REFUNDED, "order.paid")])


def an_order_is_refunded_twice(e: Evidence, records: list[Record]) -> None:
    records.append(records[_index(records, REFUNDED, "order.refunded")])


def an_unpaid_order_is_refunded(e: Evidence, records: list[Record]) -> None:
    refunded = records[_index(records, REFUNDED, "order.refunded")]
    records.append(refunded._replace(subject=OVERDUE))


def an_unpaid_order_with_a_deadline_is_shipped(e: Evidence, records: list[Record]) -> None:
    index = _index(records, OVERDUE, "order.cancelled")
    records[index] = records[index]._replace(type="order.shipped")


def a_paid_order_is_cancelled_as_overdue(e: Evidence, records: list[Record]) -> None:
    index = _index(records, REFUNDED, "order.cancelled")
    records[index] = changed(records[index], reason="payment overdue")._replace(
        actor="tandem:payment-deadline"
    )


def an_overdue_order_is_cancelled_twice(e: Evidence, records: list[Record]) -> None:
    records.append(records[_index(records, OVERDUE, "order.cancelled")])


def an_overdue_order_is_not_cancelled(e: Evidence, records: list[Record]) -> None:
    del records[_index(records, OVERDUE, "order.cancelled")]


def an_order_is_cancelled_too_late(e: Evidence, records: list[Record]) -> None:
    index = _index(records, OVERDUE, "order.cancelled")
    records[index] = records[index]._replace(time="2026-01-01T00:00:21.000Z")


def an_order_is_cancelled_before_its_deadline(e: Evidence, records: list[Record]) -> None:
    index = _index(records, OVERDUE, "order.cancelled")
    records[index] = records[index]._replace(time="2026-01-01T00:00:14.499Z")


def an_order_without_a_deadline_is_cancelled_as_overdue(e: Evidence, records: list[Record]) -> None:
    index = _index(records, OVERDUE, "order.placed")
    records[index] = changed(records[index], payment_due_at=None)


def an_overdue_order_has_another_reason(e: Evidence, records: list[Record]) -> None:
    index = _index(records, OVERDUE, "order.cancelled")
    records[index] = changed(records[index], reason="changed my mind")


def two_payments_of_an_order_are_acknowledged(e: Evidence, records: list[Record]) -> None:
    payment = next(a for a in e.attempts if a.name == "PayOrder")
    e.attempts.append(replace(payment, caller="q", request={"reference": "p-2"}))


def a_document_has_another_payment_status(e: Evidence, records: list[Record]) -> None:
    response = {**e.final[-1].response, "payment": {"status": "due"}}
    e.final[-1] = replace(e.final[-1], response=response)


def an_overdue_order_keeps_its_stock(e: Evidence, records: list[Record]) -> None:
    e.rows[PRODUCT] = AggregateRow(6, 4)


def a_request_fails_with_500(e: Evidence) -> None:
    _add(e, e.attempts[READ], status=500, problem="internal-error")


def a_503_has_no_retry_after(e: Evidence) -> None:
    _change(e, 4, retry_after=None)


def an_unaffected_side_returns_503(e: Evidence) -> None:
    e.limits = Limits(unaffected=frozenset[Side](("commands",)))


def a_reachable_process_does_not_respond(e: Evidence) -> None:
    _add(e, e.attempts[READ], status=0, error="ConnectError")


def a_response_takes_too_long(e: Evidence) -> None:
    _change(e, READ, duration_s=60.0)


def a_process_uses_too_much_memory(e: Evidence) -> None:
    e.samples.append(MemorySample(2.0, "relay", 2000.0))


def a_process_ends_unexpectedly(e: Evidence) -> None:
    e.unexpected_exits.append("relay")


def the_system_does_not_recover(e: Evidence) -> None:
    e.recovery_s = None


def the_system_recovers_too_late(e: Evidence) -> None:
    e.recovery_s = 1000.0


def a_read_fails_after_the_recovery(e: Evidence) -> None:
    e.final.append(replace(e.attempts[READ], status=503, problem="unavailable", retry_after="1"))


DEFECTS: Final[list[tuple[str, Defect]]] = [
    ("once", an_acknowledged_command_is_missing),
    ("once", a_command_is_in_the_event_log_twice),
    ("once", an_unknown_command_is_in_the_event_log_twice),
    ("once", a_rejected_command_is_in_the_event_log),
    ("once", an_event_has_no_command),
    ("once", a_response_has_another_version),
    ("once", a_token_does_not_cover_all_events_of_its_command),
    ("once", an_order_reserved_less_than_requested),
    ("outcomes", a_command_stays_unknown),
    ("idempotency", a_replayed_response_differs),
    ("idempotency", two_responses_to_a_key_are_not_marked_as_replayed),
    ("event-log", the_event_log_has_a_gap),
    ("event-log", two_events_have_the_same_id),
    ("event-log", a_version_is_missing),
    ("event-log", a_row_is_behind_the_event_log),
    ("stock", stock_was_sold_twice),
    ("stock", a_row_has_more_stock_than_the_event_log),
    ("payments", _paying(an_order_is_paid_twice, REFUNDED)),
    ("payments", _paying(an_order_is_refunded_twice, REFUNDED)),
    ("payments", _paying(an_unpaid_order_is_refunded, OVERDUE)),
    ("payments", _paying(an_unpaid_order_with_a_deadline_is_shipped, OVERDUE)),
    ("payments", _paying(a_paid_order_is_cancelled_as_overdue, REFUNDED)),
    ("payments", _paying(an_overdue_order_is_cancelled_twice, OVERDUE)),
    ("payments", _paying(an_overdue_order_is_not_cancelled, OVERDUE)),
    ("payments", _paying(an_order_is_cancelled_too_late, OVERDUE)),
    ("payments", _paying(an_order_is_cancelled_before_its_deadline, OVERDUE)),
    ("payments", _paying(an_order_without_a_deadline_is_cancelled_as_overdue, OVERDUE)),
    ("payments", _paying(an_overdue_order_has_another_reason, OVERDUE)),
    ("payments", _paying(two_payments_of_an_order_are_acknowledged, REFUNDED)),
    ("payments", _paying(a_document_has_another_payment_status, REFUNDED)),
    ("payments", _paying(an_overdue_order_keeps_its_stock, OVERDUE)),
    ("topics", a_topic_lacks_an_event),
    ("topics", a_topic_has_events_out_of_order),
    ("topics", a_topic_has_an_additional_event),
    ("topics", a_duplicate_is_a_different_event),
    ("topics", a_duplicate_has_different_data),
    ("views", a_document_is_missing),
    ("views", a_list_lacks_an_order),
    ("views", the_dashboard_counts_an_order_twice),
    ("tokens", a_document_is_stale),
    ("tokens", a_covered_document_is_not_found),
    ("tokens", a_document_has_a_version_that_does_not_exist),
    ("tokens", the_token_of_a_response_does_not_cover_it),
    ("tokens", the_token_of_a_response_does_not_cover_the_requests),
    ("tokens", a_list_is_stale),
    ("tokens", a_listed_order_is_stale),
    ("tokens", a_history_is_stale),
    ("tokens", a_dashboard_is_stale),
    ("owners", a_read_returns_another_document),
    ("owners", a_caller_receives_the_order_of_another_user),
    ("owners", a_list_has_the_orders_of_another_user),
    ("erasure", an_event_of_an_erased_user_has_a_name),
    ("erasure", an_order_of_an_erased_user_has_an_address),
    ("erasure", a_table_has_the_email_of_an_erased_user),
    ("erasure", a_view_has_the_name_of_an_erased_user),
    ("erasure", a_log_has_the_name_of_an_erased_user),
    ("responses", a_request_fails_with_500),
    ("responses", a_503_has_no_retry_after),
    ("responses", an_unaffected_side_returns_503),
    ("responses", a_reachable_process_does_not_respond),
    ("responses", a_response_takes_too_long),
    ("memory", a_process_uses_too_much_memory),
    ("memory", a_process_ends_unexpectedly),
    ("recovery", the_system_does_not_recover),
    ("recovery", the_system_recovers_too_late),
    ("recovery", a_read_fails_after_the_recovery),
]
"""Each with the property that must detect it."""
