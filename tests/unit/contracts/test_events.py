"""Events and their Kafka records."""

from shared.contracts.events import EVENTS, Event, personal_fields
from shared.contracts.records import Record, from_kafka, position_of, to_headers


def test_personal_fields_are_marked() -> None:
    marked = {name: personal_fields(event) for name, event in EVENTS.items()}
    assert {name: fields for name, fields in marked.items() if fields} == {
        "user.created": ["name", "email"],
        "user.renamed": ["name"],
        "user.email_changed": ["email"],
        "order.placed": ["customer_name", "shipping_address"],
        "order.shipped": ["carrier", "tracking_number"],
        "order.cancelled": ["reason"],
    }


def test_the_products_topic_has_no_personal_fields() -> None:
    products = [event for event in EVENTS.values() if event.topic == "products"]
    assert products
    assert not any(personal_fields(event) for event in products)


def test_a_record_is_decoded_from_its_kafka_headers() -> None:
    record = Record(
        "orders.7", 42, "e-1", "order.delivered", "o-1", "sub", "2026-01-01T00:00:00.000Z",
        "00-" + "0" * 32 + "-" + "0" * 16 + "-01", b'{"id":"o-1","version":3}',
    )  # fmt: skip
    assert from_kafka("orders.7", record.data, to_headers(record)) == record


def test_a_foreign_record_has_no_position() -> None:
    for headers in ([], [("ce_position", b"x")], [("ce_position", b"-1")], [("ce_position", b"")]):
        assert position_of(headers) is None
        assert from_kafka("orders.7", b"{}", headers) is None
    assert from_kafka("orders.7", b"{}", [("ce_position", b"1")]) is None


def test_every_event_is_in_the_union_of_its_topic() -> None:
    classes = [c for c in Event.__subclasses__() if c.__module__ == Event.__module__]
    assert set(classes) == set(EVENTS.values())
