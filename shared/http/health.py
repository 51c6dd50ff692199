"""`/livez`, `/readyz` and `/metrics`: whether a process works."""

from collections.abc import Callable, Mapping
from time import monotonic

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest

from shared.http.messages import Request, Response, json_response
from shared.http.operations import Handler, Operation
from shared.http.problems import unavailable

Check = Callable[[], str | None]
"""None, or the reason why not; must not block."""


class Heartbeat:
    """A loop's sign of life: too old when the last beat is more than `max_age` seconds ago."""

    def __init__(self, max_age: float, clock: Callable[[], float] = monotonic) -> None:
        self._max_age = max_age
        self._clock = clock
        self._last = clock()

    def beat(self) -> None:
        """The loop made progress, or saw that there is nothing to do."""
        self._last = self._clock()

    def overdue(self) -> str | None:
        """Why the loop counts as stuck, or None."""
        age = self._clock() - self._last
        return f"no progress for {age:.0f} s" if age > self._max_age else None


class Health:
    """Named checks. Alive: no loop is stuck. Ready: every check passes."""

    def __init__(self) -> None:
        self._alive: dict[str, Check] = {}
        self._ready: dict[str, Check] = {}

    def add_liveness_check(self, name: str, heartbeat: Heartbeat) -> None:
        """The process is alive only while this heart beats."""
        self._alive[name] = heartbeat.overdue

    def add_readiness_check(self, name: str, check: Check) -> None:
        """The process is ready only while this check gives no reason."""
        self._ready[name] = check

    async def livez(self, _request: Request) -> Response:
        return _respond(self._alive)

    async def readyz(self, _request: Request) -> Response:
        return _respond(self._ready)


def health_operations(health: Health, registry: CollectorRegistry) -> list[Operation]:
    """What every process serves."""

    async def metrics(_request: Request) -> Response:
        content_type = (b"content-type", CONTENT_TYPE_LATEST.encode())
        return Response(200, generate_latest(registry), [content_type])

    return [
        _operational("/livez", health.livez, "Whether the process makes progress"),
        _operational("/readyz", health.readyz, "Whether the process can do its work now"),
        _operational("/metrics", metrics, "Prometheus metrics", cost=50.0),
    ]


def _operational(path: str, handler: Handler, summary: str, *, cost: float = 0.0) -> Operation:
    return Operation(
        method="GET",
        path=path,
        handler=handler,
        operation_id=path.strip("/"),
        summary=summary,
        cost=cost,
        operational=True,
    )


def _respond(checks: Mapping[str, Check]) -> Response:
    reasons = [f"{name}: {reason}" for name, check in checks.items() if (reason := check())]
    if reasons:
        raise unavailable("; ".join(reasons))
    return json_response(200, b'{"status":"ok"}', (b"cache-control", b"no-store"))
