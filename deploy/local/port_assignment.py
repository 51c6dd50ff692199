"""Assigns each process a port: the requested one, else the previous one, else the default."""

from collections.abc import Callable, Collection, Mapping

from command_service.relay.settings import RelaySettings
from command_service.settings import ServeSettings
from deploy.local.errors import StackError
from deploy.local.ports import is_free
from deploy.local.servers.topologies import additional_ports
from deploy.local.settings import PORT_SETTINGS
from projector.settings import ProjectorSettings
from query_service.settings import QuerySettings

DEFAULT_PORTS: Mapping[str, int] = {
    "command-service": ServeSettings.model_fields["port"].default,
    "query-service": QuerySettings.model_fields["port"].default,
    "postgres": 5433,
    "kafka": 9094,
    "redis": 6380,
}
FIRST_PORTS: Mapping[str, int] = {
    "relay": RelaySettings.model_fields["port"].default,
    "projector": ProjectorSettings.model_fields["port"].default,
    "command-service": 8300,
    "query-service": 8400,
    "kafka": 9200,
    "redis": 6400,
}
"""Processes without a fixed port get the first free one from these on."""
FIRST_ADDITIONAL_PORTS = {"kafka": 9300, "redis": 16400}
PORTS_TRIED = 90


def assign_ports(
    names: Collection[str],
    requested: Mapping[str, int],
    previous: Mapping[str, int],
    own: Collection[int],
    is_free: Callable[[int], bool] = is_free,
) -> dict[str, int]:
    """A port for each name. `previous`: those of the last run; `own`: those that Tandem's running
    processes listen on.

    Raises StackError with the name of the setting if a fixed port is in use.
    """
    assigned: dict[str, int] = {}

    def require_free(name: str, setting: str) -> None:
        port = assigned[name]
        is_duplicate = list(assigned.values()).count(port) > 1
        if is_duplicate or (port not in own and not is_free(port)):
            raise StackError(
                f"port {port}, for {name}, is in use; free it or choose another: "
                f"make up {PORT_SETTINGS[setting]}=<port>"
            )

    def assign_free(name: str, first: int) -> None:
        for port in (previous.get(name) or first, *range(first, first + PORTS_TRIED)):
            if port not in assigned.values() and (port in own or is_free(port)):
                assigned[name] = port
                return
        raise StackError(f"no port from {first} to {first + PORTS_TRIED - 1} is free for {name}")

    for name in names:
        if setting := _setting_key(name):
            assigned[name] = requested.get(setting) or previous.get(name) or DEFAULT_PORTS[setting]
            require_free(name, setting)
            if setting == "kafka":
                (controller,) = additional_ports(name)
                assigned[controller] = assigned[name] + 1
                require_free(controller, setting)
    for name in names:
        kind, offset = _kind(name), _number(name) - 1
        if name not in assigned:
            assign_free(name, FIRST_PORTS[kind] + offset)
        for additional in additional_ports(name):
            if additional not in assigned:
                assign_free(additional, FIRST_ADDITIONAL_PORTS[kind] + offset)
    return assigned


def _kind(name: str) -> str:
    return name.rpartition("-")[0] if name[-1].isdigit() else name


def _number(name: str) -> int:
    return int(name.rpartition("-")[2]) if name[-1].isdigit() else 1


def _setting_key(name: str) -> str | None:
    """The key of PORT_SETTINGS if the process has a fixed port: the first one of its kind."""
    first = name.removesuffix("-1")
    return first if first in PORT_SETTINGS else None
