"""Generates the JSON Schema of each event type from its model."""

from typing import Any, Final

from deploy.contracts.examples import EXAMPLES, SUMMARIES
from shared.contracts.events import Event
from shared.contracts.records import data_schema

Json = dict[str, Any]

_DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
_FIELDS: Final = {
    "id": "The aggregate: a UUIDv7. Also the record's key.",
    "version": "The aggregate's version after this event, from 1.",
    "stock": "The stock after this event.",
    "amount": "Minor units.",
    "currency": "An ISO 4217 code.",
    "payment_due_at": "The payment deadline, RFC 3339 in UTC; null if no payment is awaited.",
    "reference": "The reference of the payment or refund. Not personal data.",
}
_PERSONAL: Final = "Personal data: null after the user was erased."


def event_schema(event: type[Event]) -> Json:
    """A standalone document; its `$id` is the `ce_dataschema` of the records."""
    schema = _described(event.model_json_schema(mode="serialization"))
    return {
        "$schema": _DIALECT,
        "$id": data_schema(event.type),
        **schema,
        "title": event.type,
        "description": SUMMARIES[event],
        "examples": [EXAMPLES[event]],
    }


def inlined(schema: Any, definitions: Json) -> Any:
    """The schema with every reference replaced by its definition; no definition is recursive."""
    if isinstance(schema, list):
        return [inlined(part, definitions) for part in schema]
    if not isinstance(schema, dict):
        return schema
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        siblings = {key: value for key, value in schema.items() if key != "$ref"}
        return inlined({**definitions[name], **siblings}, definitions)
    return {key: inlined(part, definitions) for key, part in schema.items() if key != "$defs"}


def _described(schema: Json) -> Json:
    """Adds descriptions, and removes titles that only repeat the field's name."""
    for definition in schema.get("$defs", {}).values():
        _described(definition)
    for name, field in schema["properties"].items():
        field.pop("title", None)
        if name in _FIELDS:
            field["description"] = _FIELDS[name]
        if field.get("x-personal-data"):
            field["description"] = _PERSONAL
    return schema
