"""How each process of a stack is."""

from dataclasses import dataclass

from deploy.local.home import Home
from deploy.local.ports import HOST
from deploy.local.supervision import UNREACHABLE, Status, Supervision

ORDER = ("postgres", "kafka", "redis", "command-service", "relay", "projector", "query-service")


@dataclass(frozen=True, slots=True)
class Line:
    """`text` is name, pid (or `-`), state and address, separated by blanks."""

    state: str
    text: str


def lines(home: Home) -> list[Line]:
    """One for each process, the servers first; none if nothing is supervised."""
    try:
        statuses = Supervision(home).statuses().values()
    except UNREACHABLE:
        return []
    ports: dict[str, int] = home.load_state()["ports"]
    return [_line(status, ports.get(status.name)) for status in sorted(statuses, key=_place)]


def _line(status: Status, port: int | None) -> Line:
    pid = str(status.pid or "-")
    address = f"{HOST}:{port}" if port else "-"
    return Line(status.state, f"{status.name:17} {pid:>7} {status.state:9} {address}")


def _place(status: Status) -> tuple[int, int]:
    kind, _, number = status.name.rpartition("-")
    if number.isdigit():
        return ORDER.index(kind), int(number)
    return ORDER.index(status.name), 0
