"""The conditions of liveness and of readiness."""

from collections.abc import Callable
from typing import Any

from shared.http.dispatch import Dispatcher
from shared.http.health import Health, Heartbeat, health_operations
from shared.http.metrics import process_registry

Call = Callable[..., Any]


def app_of(health: Health) -> Dispatcher:
    registry = process_registry()
    return Dispatcher(health_operations(health, registry), authenticator=None, registry=registry)


async def test_a_process_without_loops_is_alive_if_it_responds(call: Call) -> None:
    app = app_of(Health())
    for path in ("/livez", "/readyz"):
        response = await call(app, "GET", path)
        assert (response.status, response.body) == (200, b'{"status":"ok"}')


async def test_a_loop_without_progress_makes_the_process_not_alive(call: Call, clock: Any) -> None:
    health, heartbeat = Health(), Heartbeat(30, clock)
    health.add_liveness_check("relay", heartbeat)
    clock.now += 31
    response = await call(app_of(health), "GET", "/livez")
    assert (response.status, response.problem()) == (503, "unavailable")
    assert response.json()["detail"] == "relay: no progress for 31 s"
    assert (await call(app_of(health), "GET", "/readyz")).status == 200
    heartbeat.beat()
    assert (await call(app_of(health), "GET", "/livez")).status == 200


async def test_readiness_names_every_reason(call: Call) -> None:
    health = Health()
    health.add_readiness_check("database", lambda: "connection refused")
    health.add_readiness_check("keys", lambda: None)
    health.add_readiness_check("redis", lambda: "loading")
    response = await call(app_of(health), "GET", "/readyz")
    assert response.status == 503
    assert response.json()["detail"] == "database: connection refused; redis: loading"
    assert response.headers["retry-after"] == "1"


async def test_metrics_are_prometheus_text(call: Call) -> None:
    response = await call(app_of(Health()), "GET", "/metrics")
    assert response.headers["content-type"].startswith("text/plain")
    assert b"process_resident_memory_bytes" in response.body
    assert b"http_requests_in_flight" in response.body
