"""Whether a JSON Schema is compatible with an older one, and if not, in which field it differs.

`jsoncompat` decides; this module finds the field, so that the message names it.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Literal

from jsoncompat import check_compat

Json = dict[str, Any]
Role = Literal["serializer", "deserializer"]
"""Tandem serializes responses and events; it deserializes requests."""

_ANNOTATIONS: Final = frozenset(("title", "description", "examples", "example", "default"))


def differences(old: Json, new: Json, role: Role, path: str = "") -> Iterator[str]:
    """One sentence per incompatibility; empty if users of `old` can use `new`."""
    if _compatible(_canonical(old), _canonical(new), role):
        return
    found = list(_inner_differences(old, new, role, path))
    yield from found or [
        f"{path or 'the schema'} changed from {_canonical(old)} to {_canonical(new)}"
    ]


def _inner_differences(old: Json, new: Json, role: Role, path: str) -> Iterator[str]:
    if "properties" in old and "properties" in new:
        yield from _field_differences(old, new, role, path)
    elif "items" in old and "items" in new:
        yield from differences(old["items"], new["items"], role, f"{path}/*")


def _field_differences(old: Json, new: Json, role: Role, path: str) -> Iterator[str]:
    before, after = old["properties"], new["properties"]
    required_before, required_now = set(old.get("required", ())), set(new.get("required", ()))
    added = sorted(after.keys() - before.keys())
    for name, schema in before.items():
        if name not in after:
            hint = f" (added: {', '.join(added)})" if added else ""
            yield f"{path}/{name} was removed{hint}"
        elif role == "serializer" and name in required_before - required_now:
            yield f"{path}/{name} is now optional"
        else:
            yield from differences(schema, after[name], role, f"{path}/{name}")
    if role == "deserializer":
        for name in sorted(required_now - required_before):
            yield f"{path}/{name} is now required"


@cache
def _compatible(old: str, new: str, role: Role) -> bool:
    return old == new or check_compat(old, new, role)


def _canonical(schema: Any) -> str:
    """The schema as sorted JSON without annotations."""
    return json.dumps(_without_annotations(schema), sort_keys=True, ensure_ascii=False)


def _without_annotations(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_annotations(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if not _is_annotation(key, part)}
    return {key: _without_annotations(part) for key, part in kept.items()}


def _is_annotation(key: str, part: Any) -> bool:
    """A property may be called `title`; its schema is an object, an annotation is not."""
    return key.startswith("x-") or (key in _ANNOTATIONS and not isinstance(part, dict))
