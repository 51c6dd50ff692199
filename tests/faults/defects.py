"""One defect of each kind that the auditor is there for, to be made in a clean run.

Long, because it is a list: nothing in it depends on anything else.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Final

from faults.evidence import Evidence, Row, Sample
from faults.history import Attempt, Part
from faults.limits import Limits
from shared.contracts.shards import DEFAULT_PARTITIONS, Topic, shard_of
from tests.faults.handmade import ORDER, OTHER, PRODUCT, USER, changed

Defect = Callable[[Evidence], None]


def _shard(topic: Topic, id: str) -> str:
    return shard_of(topic, id, DEFAULT_PARTITIONS)


def _change(evidence: Evidence, index: int, **changes: Any) -> None:
    evidence.attempts[index] = replace(evidence.attempts[index], **changes)


def _add(evidence: Evidence, attempt: Attempt, **changes: Any) -> None:
    evidence.attempts.append(replace(attempt, **changes))


CREATE, PLACE, SHIP, AGAIN, REFUSED, READ, LIST = 0, 5, 6, 7, 8, 9, 10


def an_acknowledged_command_is_missing(e: Evidence) -> None:
    _add(e, e.attempts[CREATE], caller="lost")


def a_command_is_in_the_log_twice(e: Evidence) -> None:
    records = e.log[_shard("orders", ORDER)]
    shipped = changed(records[1], version=3)
    records.append(shipped._replace(position=3, event_id="another"))


def an_unknown_command_is_in_the_log_twice(e: Evidence) -> None:
    a_command_is_in_the_log_twice(e)
    e.attempts[SHIP : AGAIN + 1] = [replace(e.attempts[SHIP], status=0, error="ReadTimeout")]


def a_refused_command_is_in_the_log(e: Evidence) -> None:
    e.attempts[SHIP : AGAIN + 1] = [replace(e.attempts[REFUSED], caller="f", name="ShipOrder")]


def an_event_was_asked_for_by_nobody(e: Evidence) -> None:
    del e.attempts[SHIP : AGAIN + 1]


def an_answer_names_another_version(e: Evidence) -> None:
    _change(e, CREATE, version=2)


def a_token_stands_for_less_than_the_command_did(e: Evidence) -> None:
    _change(e, PLACE, answer_token=f"{_shard('orders', ORDER)}:1")


def an_order_took_less_than_it_asked_for(e: Evidence) -> None:
    _change(e, PLACE, request={"items": [{"product_id": PRODUCT, "quantity": 4}]})


def a_command_stays_unknown(e: Evidence) -> None:
    _add(e, e.attempts[4], caller="late", request={"items": []})


def a_replay_has_another_answer(e: Evidence) -> None:
    _change(e, AGAIN, version=3)


def a_key_was_taken_twice_as_new(e: Evidence) -> None:
    _change(e, AGAIN, replayed=False)


def the_log_has_a_hole(e: Evidence) -> None:
    records = e.log[_shard("orders", ORDER)]
    records[1] = records[1]._replace(position=3)


def an_event_has_the_id_of_another(e: Evidence) -> None:
    records = e.log[_shard("orders", ORDER)]
    records[1] = records[1]._replace(event_id=records[0].event_id)


def a_version_is_left_out(e: Evidence) -> None:
    records = e.log[_shard("orders", ORDER)]
    records[1] = changed(records[1], version=3)


def the_state_is_behind_the_log(e: Evidence) -> None:
    e.state[ORDER] = Row(1)


def stock_was_sold_twice(e: Evidence) -> None:
    records = e.log[_shard("products", PRODUCT)]
    records[1] = changed(records[1], quantity=11, stock=-1)


def the_state_has_more_stock_than_the_log(e: Evidence) -> None:
    e.state[PRODUCT] = Row(2, 10)


def a_partition_lacks_an_event(e: Evidence) -> None:
    e.topics[_shard("orders", ORDER)].pop()


def a_partition_has_two_events_the_wrong_way_round(e: Evidence) -> None:
    e.topics[_shard("orders", ORDER)].reverse()


def a_partition_has_an_event_that_the_log_lacks(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(records[-1]._replace(position=3, event_id="another"))


def a_repeat_is_another_event(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(records[-1]._replace(event_id="another"))


def a_repeat_has_other_data(e: Evidence) -> None:
    records = e.topics[_shard("orders", ORDER)]
    records.append(changed(records[-1], carrier="UPS"))


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


def a_read_is_from_before_its_token(e: Evidence) -> None:
    _change(e, READ, version=1, answer={"id": USER, "version": 1})


def a_read_finds_nothing_of_what_its_token_stands_for(e: Evidence) -> None:
    _change(e, READ, status=404, problem="not-found")


def a_read_shows_a_version_that_never_was(e: Evidence) -> None:
    _change(e, READ, version=3, answer={"id": USER, "version": 3})


def the_token_of_an_answer_is_from_before_it(e: Evidence) -> None:
    _change(e, READ, token="", answer_token=f"{_shard('users', USER)}:1")


def the_token_of_an_answer_is_from_before_the_requests(e: Evidence) -> None:
    _change(e, LIST, answer_token=f"{_shard('orders', ORDER)}:1")


def a_list_is_from_before_its_token(e: Evidence) -> None:
    _change(e, LIST, answer={"list": [], "owners": [], "next": False})


def a_listed_order_is_from_before_the_token(e: Evidence) -> None:
    _change(e, LIST, answer={"list": [[ORDER, 1]], "owners": [USER], "next": False})


def a_history_is_from_before_its_token(e: Evidence) -> None:
    _add(e, e.attempts[READ], name="GetHistory", answer={"versions": [1]})


def a_dashboard_is_from_before_its_token(e: Evidence) -> None:
    answer = {"orders": {"total": 0}}
    _add(e, e.attempts[LIST], name="GetDashboard", path="/v1/dashboard", answer=answer)


def a_read_gets_another_document(e: Evidence) -> None:
    _change(e, READ, answer={"id": OTHER, "version": 2})


def a_caller_gets_the_order_of_another(e: Evidence) -> None:
    answer = {"id": ORDER, "version": 2, "customer_id": USER}
    path = f"/v1/orders/{ORDER}"
    _add(e, e.attempts[READ], name="GetOrderSummary", path=path, id=ORDER, caller=OTHER,
         token="", answer_token=f"{_shard('orders', ORDER)}:2", answer=answer)  # fmt: skip


def a_list_has_the_orders_of_another(e: Evidence) -> None:
    _change(e, LIST, answer={"list": [[ORDER, 2]], "owners": [USER, OTHER], "next": False})


def a_request_fails_with_500(e: Evidence) -> None:
    _add(e, e.attempts[READ], status=500, problem="internal-error")


def a_503_says_not_when_to_come_back(e: Evidence) -> None:
    _change(e, 4, retry_after=None)


def a_part_that_must_go_on_answers_503(e: Evidence) -> None:
    e.limits = Limits(goes_on=frozenset[Part](("commands",)))


def a_process_that_is_there_does_not_answer(e: Evidence) -> None:
    _add(e, e.attempts[READ], status=0, error="ConnectError")


def an_answer_takes_too_long(e: Evidence) -> None:
    _change(e, READ, took=60.0)


def a_process_grows(e: Evidence) -> None:
    e.samples.append(Sample(2.0, "relay", 2000.0))


def a_process_ends_by_itself(e: Evidence) -> None:
    e.ended.append("relay")


def it_never_becomes_level(e: Evidence) -> None:
    e.seconds = None


def it_becomes_level_too_late(e: Evidence) -> None:
    e.seconds = 1000.0


def a_read_fails_when_all_is_level(e: Evidence) -> None:
    e.final.append(replace(e.attempts[READ], status=503, problem="unavailable", retry_after="1"))


DEFECTS: Final[list[tuple[str, Defect]]] = [
    ("once", an_acknowledged_command_is_missing),
    ("once", a_command_is_in_the_log_twice),
    ("once", an_unknown_command_is_in_the_log_twice),
    ("once", a_refused_command_is_in_the_log),
    ("once", an_event_was_asked_for_by_nobody),
    ("once", an_answer_names_another_version),
    ("once", a_token_stands_for_less_than_the_command_did),
    ("once", an_order_took_less_than_it_asked_for),
    ("known", a_command_stays_unknown),
    ("replays", a_replay_has_another_answer),
    ("replays", a_key_was_taken_twice_as_new),
    ("log", the_log_has_a_hole),
    ("log", an_event_has_the_id_of_another),
    ("log", a_version_is_left_out),
    ("log", the_state_is_behind_the_log),
    ("stock", stock_was_sold_twice),
    ("stock", the_state_has_more_stock_than_the_log),
    ("partitions", a_partition_lacks_an_event),
    ("partitions", a_partition_has_two_events_the_wrong_way_round),
    ("partitions", a_partition_has_an_event_that_the_log_lacks),
    ("partitions", a_repeat_is_another_event),
    ("partitions", a_repeat_has_other_data),
    ("views", a_document_is_missing),
    ("views", a_list_lacks_an_order),
    ("views", the_dashboard_counts_an_order_twice),
    ("tokens", a_read_is_from_before_its_token),
    ("tokens", a_read_finds_nothing_of_what_its_token_stands_for),
    ("tokens", a_read_shows_a_version_that_never_was),
    ("tokens", the_token_of_an_answer_is_from_before_it),
    ("tokens", the_token_of_an_answer_is_from_before_the_requests),
    ("tokens", a_list_is_from_before_its_token),
    ("tokens", a_listed_order_is_from_before_the_token),
    ("tokens", a_history_is_from_before_its_token),
    ("tokens", a_dashboard_is_from_before_its_token),
    ("owners", a_read_gets_another_document),
    ("owners", a_caller_gets_the_order_of_another),
    ("owners", a_list_has_the_orders_of_another),
    ("answers", a_request_fails_with_500),
    ("answers", a_503_says_not_when_to_come_back),
    ("answers", a_part_that_must_go_on_answers_503),
    ("answers", a_process_that_is_there_does_not_answer),
    ("answers", an_answer_takes_too_long),
    ("memory", a_process_grows),
    ("memory", a_process_ends_by_itself),
    ("recovery", it_never_becomes_level),
    ("recovery", it_becomes_level_too_late),
    ("recovery", a_read_fails_when_all_is_level),
]
"""With the property that must flag it."""
