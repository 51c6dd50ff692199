"""Finds the target of a path: one or two dictionary lookups, or one per shape of template."""

from collections.abc import Iterable
from typing import Generic, TypeVar

T = TypeVar("T")

Places = tuple[int, ...]
"""The indexes of a template's parameters among its segments."""


class Routes(Generic[T]):
    """Targets by path template. Literal paths win over templates; parameters are never empty."""

    def __init__(self, routes: Iterable[tuple[str, T]]) -> None:
        self._literal: dict[str, T] = {}
        self._last: dict[str, tuple[str, T]] = {}
        """By the path before a parameter that is the last segment and the only parameter."""
        self._shapes: dict[int, dict[Places, dict[str, tuple[tuple[str, ...], T]]]] = {}
        for template, target in routes:
            self._add(template, target)

    def _add(self, template: str, target: T) -> None:
        segments = template.split("/")
        places = tuple(i for i, segment in enumerate(segments) if segment.startswith("{"))
        if not places:
            self._literal[template] = target
            return
        names = tuple(segments[place][1:-1] for place in places)
        if places == (len(segments) - 1,):
            self._last["/".join(segments[:-1])] = names[0], target
            return
        for place in places:
            segments[place] = ""
        routes = self._shapes.setdefault(len(segments), {}).setdefault(places, {})
        routes["/".join(segments)] = (names, target)

    def find(self, path: str) -> tuple[T, dict[str, str]] | None:
        """The target at this path and the path's parameters."""
        literal = self._literal.get(path)
        if literal is not None:
            return literal, {}
        before, _, value = path.rpartition("/")
        last = self._last.get(before)
        if last is not None and value:
            return last[1], {last[0]: value}
        segments = path.split("/")
        shapes = self._shapes.get(len(segments))
        if shapes is None:
            return None
        for places, routes in shapes.items():
            values = []
            for place in places:
                values.append(segments[place])
                segments[place] = ""
            route = routes.get("/".join(segments))
            if route is not None and "" not in values:
                return route[1], dict(zip(route[0], values, strict=True))
            for place, value in zip(places, values, strict=True):
                segments[place] = value
        return None
