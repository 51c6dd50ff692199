"""The responses of the dispatcher itself, and the order of its checks."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import structlog
from prometheus_client import CollectorRegistry, generate_latest
from pydantic import BaseModel

from shared.http.caller import Caller
from shared.http.dispatch import Dispatcher
from shared.http.messages import (
    JSON,
    Request,
    Response,
    ResponseHeaders,
    json_response,
)
from shared.http.operations import Operation
from shared.http.problems import Problem, unauthorized
from shared.http.rate_limit import RateLimit, RateLimits

Call = Callable[..., Any]
JSON_BODY = [(b"content-type", b"application/json")]


class Body(BaseModel):
    pass


class Tokens:
    """`Bearer <scopes>` is a caller with these scopes; `Bearer bad` is rejected."""

    def recall(self, authorization: bytes) -> Caller | None:
        return None

    async def authenticate(self, authorization: bytes) -> Caller:
        if authorization == b"Bearer bad":
            raise unauthorized("bad", token_sent=True)
        return Caller("ada", frozenset(authorization.decode().split()[1:]))


async def echo(request: Request) -> Response:
    sub = request.caller.sub if request.caller else "-"
    params = ",".join(f"{name}={value}" for name, value in request.path_params.items())
    text = f"{request.method} {request.path} {params} {sub} {request.body.decode()}"
    return Response(200, text.encode(), [(b"x-operation", b"echo")])


async def broken(_request: Request) -> Response:
    raise ValueError("ada@example.com")


async def taken(_request: Request) -> Response:
    raise Problem("email-taken", "it is taken")


def operation(method: str, path: str, handler: Any, **more: Any) -> Operation:
    name = f"{method} {path}"
    return Operation(
        method=method, path=path, handler=handler, operation_id=name, summary=name, **more
    )


OPERATIONS = [
    operation("GET", "/v1/things/{id}", echo),
    operation("GET", "/v1/secrets", echo, scopes=("read", "read:all")),
    operation("POST", "/v1/things", echo, scopes=("write",), request_model=Body, max_body=8),
    operation("DELETE", "/v1/things/{id}", echo, max_body=8),
    operation("GET", "/v1/broken", broken),
    operation("GET", "/v1/taken", taken),
]


def dispatcher(*more: Operation, **options: Any) -> Dispatcher:
    options.setdefault("registry", CollectorRegistry())
    return Dispatcher([*OPERATIONS, *more], authenticator=Tokens(), **options)


def bearer(scopes: str) -> ResponseHeaders:
    return [(b"authorization", f"Bearer {scopes}".encode())]


async def test_an_operation_gets_its_request(call: Call) -> None:
    response = await call(dispatcher(), "GET", "/v1/things/7")
    assert response.body == b"GET /v1/things/7 id=7 - "
    assert response.headers == {"x-operation": "echo"}


async def test_an_unknown_path_is_not_found_before_any_token_is_verified(call: Call) -> None:
    for path in ("/", "/v1/things/7/", "/v1/unknown"):
        response = await call(dispatcher(), "POST", path, headers=bearer("bad"))
        assert (response.status, response.problem()) == (404, "not-found")


async def test_another_method_is_rejected_with_those_that_are_allowed(call: Call) -> None:
    response = await call(dispatcher(), "PUT", "/v1/things/7", headers=bearer("bad"))
    assert (response.status, response.problem()) == (405, "method-not-allowed")
    assert response.headers["allow"] == "DELETE, GET, HEAD"


async def test_head_is_handled_as_get(call: Call) -> None:
    got = await call(dispatcher(), "GET", "/v1/things/7")
    head = await call(dispatcher(), "HEAD", "/v1/things/7")
    assert (head.status, head.headers, head.body) == (got.status, got.headers, got.body)


async def test_a_missing_token_is_unauthorized(call: Call) -> None:
    response = await call(dispatcher(), "GET", "/v1/secrets")
    assert (response.status, response.problem()) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"


async def test_a_bad_token_is_unauthorized_even_if_none_is_required(call: Call) -> None:
    response = await call(dispatcher(), "GET", "/v1/things/7", headers=bearer("bad"))
    assert response.status == 401
    assert response.headers["www-authenticate"] == 'Bearer error="invalid_token"'


async def test_two_authorization_headers_are_unauthorized(call: Call) -> None:
    twice = bearer("read") + bearer("read")
    assert (await call(dispatcher(), "GET", "/v1/secrets", headers=twice)).status == 401


@pytest.mark.parametrize("scopes", ["read", "read:all", "write read"])
async def test_any_of_the_scopes_admits(call: Call, scopes: str) -> None:
    response = await call(dispatcher(), "GET", "/v1/secrets", headers=bearer(scopes))
    assert response.status == 200
    assert b" ada " in response.body


async def test_another_scope_is_forbidden(call: Call) -> None:
    response = await call(dispatcher(), "GET", "/v1/secrets", headers=bearer("write"))
    assert (response.status, response.problem()) == (403, "forbidden")
    challenge = 'Bearer error="insufficient_scope", scope="read"'
    assert response.headers["www-authenticate"] == challenge


async def test_checks_come_in_the_contracts_order(call: Call) -> None:
    app = dispatcher()
    text = [(b"content-type", b"text/plain")]
    steps: list[tuple[ResponseHeaders, bytes | None, int]] = [
        (text, b"123456789", 401),
        (bearer("read") + text, b"123456789", 403),
        (bearer("write") + text, b"123456789", 413),
        (bearer("write") + text, None, 413),
        (bearer("write") + text, b"{", 415),
        (bearer("write") + JSON_BODY, b"{", 200),
    ]
    for headers, body, status in steps:
        response = await call(app, "POST", "/v1/things", headers=headers, body=body)
        assert response.status == status


@pytest.mark.parametrize("coding", [b"gzip", b"br, gzip", b"x"])
async def test_a_body_has_no_content_coding(call: Call, coding: bytes) -> None:
    headers = bearer("write") + JSON_BODY + [(b"content-encoding", coding)]
    response = await call(dispatcher(), "POST", "/v1/things", headers=headers, body=b"{}")
    assert (response.status, response.problem()) == (415, "unsupported-media-type")


async def test_a_request_without_a_body_needs_no_content_type(call: Call) -> None:
    response = await call(dispatcher(), "POST", "/v1/things", headers=bearer("write"))
    assert response.status == 200


@pytest.mark.parametrize(
    ("content_type", "status"),
    [
        (b"application/json", 200),
        (b"application/json; charset=utf-8", 200),
        (b"Application/JSON ;charset=UTF-8", 200),
        (b"application/jsonp", 415),
        (b"application/merge-patch+json", 415),
        (b"text/plain", 415),
        (b"", 415),
        (b"\xff", 415),
        (None, 415),
    ],
)
async def test_a_body_must_be_json(call: Call, content_type: bytes | None, status: int) -> None:
    headers = bearer("write")
    if content_type is not None:
        headers.append((b"content-type", content_type))
    response = await call(dispatcher(), "POST", "/v1/things", headers=headers, body=b"{}")
    assert response.status == status


async def test_two_content_types_are_malformed(call: Call) -> None:
    headers = bearer("write") + JSON_BODY * 2
    response = await call(dispatcher(), "POST", "/v1/things", headers=headers, body=b"{}")
    assert response.problem() == "malformed-request"


async def test_an_operation_without_a_model_takes_any_content_type(call: Call) -> None:
    response = await call(dispatcher(), "DELETE", "/v1/things/7", body=b"x")
    assert response.body == b"DELETE /v1/things/7 id=7 - x"


async def test_a_problem_becomes_its_response(call: Call) -> None:
    response = await call(dispatcher(), "GET", "/v1/taken")
    assert (response.status, response.problem()) == (409, "email-taken")


async def test_a_defect_is_a_500_whose_log_quotes_no_value(call: Call) -> None:
    with structlog.testing.capture_logs() as logs:
        response = await call(dispatcher(), "GET", "/v1/broken")
    assert (response.status, response.problem()) == (500, "internal-error")
    assert logs[0]["operation"] == "GET /v1/broken"
    assert logs[0]["error"]["type"] == "builtins.ValueError"
    assert "ada@" not in str(logs) + response.body.decode()


async def test_beyond_the_bound_requests_are_turned_away_but_health_is_not(call: Call) -> None:
    entered, leave = asyncio.Event(), asyncio.Event()

    async def slow(_request: Request) -> Response:
        entered.set()
        await leave.wait()
        return json_response(200, b"{}")

    app = dispatcher(
        operation("GET", "/v1/slow", slow),
        operation("GET", "/livez", echo, operational=True),
        max_in_flight=1,
    )
    first = asyncio.create_task(call(app, "GET", "/v1/slow"))
    await entered.wait()
    second = await call(app, "GET", "/v1/things/7")
    assert (second.status, second.problem()) == (503, "unavailable")
    assert second.headers["retry-after"] == "1"
    assert (await call(app, "GET", "/livez")).status == 200
    leave.set()
    assert (await first).status == 200
    assert (await call(app, "GET", "/v1/things/7")).status == 200


def limits(clock: Any, *, per_caller: float = 0, per_address: float = 0) -> RateLimits:
    return RateLimits(per_caller=per_caller, per_address=per_address, clock=clock)


async def test_a_callers_rate_is_limited(call: Call, clock: Any) -> None:
    app = dispatcher(rate_limits=limits(clock, per_caller=1))
    statuses = []
    for _ in range(3):
        response = await call(app, "GET", "/v1/secrets", headers=bearer("read"))
        statuses.append(response.status)
    assert statuses == [200, 200, 429]
    assert response.headers["retry-after"] == "1"
    assert app._metrics.rejected == {"caller_rate": 1}
    clock.now += 1
    assert (await call(app, "GET", "/v1/secrets", headers=bearer("read"))).status == 200


async def test_requests_cost_different_amounts(call: Call, clock: Any) -> None:
    app = dispatcher(
        operation("GET", "/v1/search", echo, cost=4), rate_limits=limits(clock, per_address=4)
    )
    statuses = [(await call(app, "GET", "/v1/search")).status for _ in range(3)]
    assert statuses == [200, 200, 429]
    clock.now += 1
    assert (await call(app, "GET", "/v1/search")).status == 200


async def test_a_forbidden_request_counts_for_its_caller(call: Call, clock: Any) -> None:
    app = dispatcher(rate_limits=limits(clock, per_caller=1))
    statuses = [
        (await call(app, "GET", "/v1/secrets", headers=bearer("other"))).status for _ in range(3)
    ]
    assert statuses == [403, 403, 429]


@pytest.mark.parametrize(
    ("path", "headers", "status", "allowed"),
    [
        ("/v1/things/7", [], 200, 6),
        ("/v1/secrets", [], 401, 6),
        ("/v1/unknown", [], 404, 6),
        ("/v1/things/7", bearer("bad"), 401, 2),
    ],
    ids=["anonymous", "without a token", "unknown path", "invalid token"],
)
async def test_an_address_has_a_budget_for_requests_without_a_caller(
    call: Call, clock: Any, path: str, headers: ResponseHeaders, status: int, allowed: int
) -> None:
    app = dispatcher(rate_limits=limits(clock, per_address=3))
    for _ in range(allowed):
        assert (await call(app, "GET", path, headers=headers)).status == status
    assert (await call(app, "GET", path, headers=headers)).status == 429
    assert app._metrics.rejected == {"address_rate": 1}
    other = await call(app, "GET", path, headers=headers, address="198.51.100.9")
    assert other.status == status


async def test_a_request_that_cannot_be_read_costs_its_address(call: Call, clock: Any) -> None:
    app = dispatcher(rate_limits=limits(clock, per_address=3))
    malformed = Problem("malformed-request", "the head is malformed")
    assert [app.reject(malformed, "198.51.100.7").status for _ in range(7)] == [400] * 6 + [429]
    other = await call(app, "GET", "/v1/things/7", address="198.51.100.7")
    assert other.status == 429
    assert app.reject(malformed, None).status == 400, "the client of a proxy is unknown"


async def test_a_valid_token_costs_its_address_nothing(call: Call, clock: Any) -> None:
    app = dispatcher(rate_limits=limits(clock, per_address=3))
    for _ in range(20):
        assert (await call(app, "GET", "/v1/secrets", headers=bearer("read"))).status == 200


async def test_health_checks_are_not_limited(call: Call, clock: Any) -> None:
    app = dispatcher(
        operation("GET", "/livez", echo, operational=True, cost=0),
        rate_limits=limits(clock, per_address=1),
    )
    for _ in range(20):
        assert (await call(app, "GET", "/livez")).status == 200


def test_a_network_of_ipv6_addresses_shares_a_budget(clock: Any) -> None:
    limited = limits(clock, per_address=1)
    limited.take_address("2001:db8:0:1::1", 1)
    limited.take_address("2001:db8:0:1:ffff::2", 1)
    with pytest.raises(Problem):
        limited.take_address("2001:db8:0:1::3", 1)
    limited.take_address("2001:db8:0:2::1", 1)


def test_a_rate_limit_remembers_a_bounded_number_of_callers(
    clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("shared.http.rate_limit._MAX_BUCKETS", 2)
    limit = RateLimit("caller_rate", per_second=1, burst=1, clock=clock)
    for sub in ("a", "b", "c", "a"):
        limit.take(sub, 1)  # the second `a` was omitted in between
    with pytest.raises(Problem):
        limit.take("c", 1)


async def test_requests_are_counted_by_operation_and_status(call: Call) -> None:
    registry = CollectorRegistry()
    app = dispatcher(registry=registry)
    for path in ("/v1/things/7", "/v1/things/8", "/v1/taken", "/unknown"):
        await call(app, "GET", path)
    text = generate_latest(registry).decode()
    count = "http_request_duration_seconds_count"
    assert f'{count}{{operation="GET /v1/things/{{id}}",status="2xx"}} 2.0' in text
    assert f'{count}{{operation="GET /v1/taken",status="4xx"}} 1.0' in text
    assert f'{count}{{operation="none",status="4xx"}} 1.0' in text
    assert "http_requests_in_flight 0.0" in text


def test_an_operation_is_declared_once() -> None:
    with pytest.raises(ValueError, match="declared twice"):
        dispatcher(OPERATIONS[0])


def test_json_replies_name_their_type() -> None:
    assert json_response(201, b"{}", (b"etag", b'"1"')).headers == [JSON, (b"etag", b'"1"')]
