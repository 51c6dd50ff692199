"""Gives each process a port: the one asked for, else the one it had, else its default."""

from collections.abc import Callable, Collection, Mapping

from deploy.local.errors import StackError
from deploy.local.ports import is_free
from deploy.local.servers.topologies import additional_ports
from deploy.local.settings import PORT_SETTINGS

DEFAULTS = {
    "command-service": 8080,
    "query-service": 8081,
    "postgres": 5433,
    "kafka": 9094,
    "redis": 6380,
}
FIRST_OF = {
    "relay": 8100,
    "projector": 8200,
    "command-service": 8300,
    "query-service": 8400,
    "kafka": 9200,
    "redis": 6400,
}
"""The rest have ports that nobody needs to know beforehand: the next free one from these on."""
FIRST_OF_COMPANIONS = {"kafka": 9300, "redis": 16400}


def choose_ports(
    names: Collection[str],
    asked: Mapping[str, int],
    had: Mapping[str, int],
    ours: Collection[int],
    is_free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name. `had` are those of the last time, `ours` those we listen on right now.

    Raises StackError, naming the setting, where a port that people know is taken.
    """
    chosen: dict[str, int] = {}
    for name in names:
        known = _well_known(name)
        if not known:
            continue
        chosen[name] = asked.get(known) or had.get(name) or DEFAULTS[known]
        _insist(name, known, chosen[name], chosen, ours, is_free)
        if known == "kafka":
            (controller,) = additional_ports(name)
            chosen[controller] = chosen[name] + 1
            _insist("kafka's controller", known, chosen[controller], chosen, ours, is_free)
    for name in names:
        if name not in chosen:
            first = FIRST_OF[_kind(name)] + _number(name) - 1
            chosen[name] = _next_free(name, first, had.get(name), chosen, ours, is_free)
        for beside in additional_ports(name):
            if beside not in chosen:
                first = FIRST_OF_COMPANIONS[_kind(name)] + _number(name) - 1
                chosen[beside] = _next_free(beside, first, had.get(beside), chosen, ours, is_free)
    return chosen


def _kind(name: str) -> str:
    return name.rpartition("-")[0] if name[-1].isdigit() else name


def _number(name: str) -> int:
    return int(name.rpartition("-")[2]) if name[-1].isdigit() else 1


def _well_known(name: str) -> str | None:
    """The process that the name's setting and default belong to: the first one if numbered."""
    first = name.removesuffix("-1")
    return first if first in PORT_SETTINGS else None


def _insist(
    name: str,
    known: str,
    port: int,
    chosen: Mapping[str, int],
    ours: Collection[int],
    is_free: Callable[[int], bool],
) -> None:
    twice = list(chosen.values()).count(port) > 1
    if twice or (port not in ours and not is_free(port)):
        raise StackError(
            f"port {port}, for {name}, is in use; free it or choose another: "
            f"make up {PORT_SETTINGS[known]}=<port>"
        )


def _next_free(
    name: str,
    first: int,
    had: int | None,
    chosen: Mapping[str, int],
    ours: Collection[int],
    is_free: Callable[[int], bool],
) -> int:
    candidates: list[int] = [had or first, *range(first, first + 90)]
    for port in candidates:
        if port not in chosen.values() and (port in ours or is_free(port)):
            return port
    raise StackError(f"no port for {name} is free from {first} on")
