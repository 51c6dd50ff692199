"""The state of each process of a stack."""

from dataclasses import dataclass

from deploy.local.home import Home
from deploy.local.ports import HOST
from deploy.local.supervision import UNREACHABLE, Status, Supervision

ORDER = ("postgres", "kafka", "redis", "command-service", "relay", "projector", "query-service")


@dataclass(frozen=True, slots=True)
class ProcessLine:
    """`text` is name, pid (or `-`), state and address, separated by spaces."""

    state: str
    text: str


def process_lines(home: Home) -> list[ProcessLine]:
    """One line per process, servers first; empty if supervisord does not run."""
    try:
        statuses = Supervision(home).statuses().values()
    except UNREACHABLE:
        return []
    ports: dict[str, int] = home.load_state()["ports"]
    return [_line(status, ports.get(status.name)) for status in sorted(statuses, key=_sort_key)]


def _line(status: Status, port: int | None) -> ProcessLine:
    pid = str(status.pid or "-")
    address = f"{HOST}:{port}" if port else "-"
    return ProcessLine(status.state, f"{status.name:17} {pid:>7} {status.state:9} {address}")


def _sort_key(status: Status) -> tuple[int, int]:
    kind, _, number = status.name.rpartition("-")
    if number.isdigit():
        return ORDER.index(kind), int(number)
    return ORDER.index(status.name), 0
