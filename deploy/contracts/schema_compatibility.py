"""Whether one JSON Schema still keeps what another one promised, and if not, where it doesn't.

`jsoncompat` judges; what stands here only finds the place, so that people are told of a field.
"""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any, Final, Literal

from jsoncompat import check_compat

Json = dict[str, Any]
Role = Literal["serializer", "deserializer"]
"""Tandem writes what it answers and publishes; it reads what it is sent."""

_REMARKS: Final = frozenset(("title", "description", "examples", "example", "default"))


def differences(old: Json, new: Json, role: Role, place: str = "") -> Iterator[str]:
    """One sentence for each break; none where whoever relied on `old` can live with `new`."""
    if _compatible(_plain(old), _plain(new), role):
        return
    found = list(_inside(old, new, role, place))
    yield from found or [f"{place or 'the whole'} was {_plain(old)} and is {_plain(new)}"]


def _inside(old: Json, new: Json, role: Role, place: str) -> Iterator[str]:
    if "properties" in old and "properties" in new:
        yield from _fields(old, new, role, place)
    elif "items" in old and "items" in new:
        yield from differences(old["items"], new["items"], role, f"{place}/*")


def _fields(old: Json, new: Json, role: Role, place: str) -> Iterator[str]:
    before, after = old["properties"], new["properties"]
    needed, needs = set(old.get("required", ())), set(new.get("required", ()))
    added = sorted(after.keys() - before.keys())
    for name, schema in before.items():
        if name not in after:
            hint = f" (new there: {', '.join(added)})" if added else ""
            yield f"{place}/{name} is gone{hint}"
        elif role == "serializer" and name in needed - needs:
            yield f"{place}/{name} may be missing now"
        else:
            yield from differences(schema, after[name], role, f"{place}/{name}")
    if role == "deserializer":
        for name in sorted(needs - needed):
            yield f"{place}/{name} is required now"


@cache
def _compatible(old: str, new: str, role: Role) -> bool:
    return old == new or check_compat(old, new, role)


def _plain(schema: Any) -> str:
    """Without what says nothing about values, and with no order."""
    return json.dumps(_without_remarks(schema), sort_keys=True, ensure_ascii=False)


def _without_remarks(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_without_remarks(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: part for key, part in schema.items() if not _is_remark(key, part)}
    return {key: _without_remarks(part) for key, part in kept.items()}


def _is_remark(key: str, part: Any) -> bool:
    """A field may be called `title`: what describes it is an object."""
    return key.startswith("x-") or (key in _REMARKS and not isinstance(part, dict))
