"""Responds to every operation in one way, a few microseconds above the cost of the server.

Order of checks: 404 and 405, 401, 429, 403, 413, 415, then the handler of the operation.
"""

import time
from collections.abc import Iterable, Mapping, Sequence
from functools import partial

import structlog
from prometheus_client import CollectorRegistry

from shared.http.authentication import Authenticates
from shared.http.caller import Caller
from shared.http.framing import RequestHead
from shared.http.headers import Headers
from shared.http.messages import AnyResponse, Request, Response, problem_response
from shared.http.operations import Operation
from shared.http.problems import Problem, forbidden, unauthorized, unavailable
from shared.http.rate_limit import VERIFICATION_COST, RateLimits
from shared.http.request_metrics import RequestMetrics, Timings
from shared.http.routing import Routes
from shared.logging_setup import describe_error

log = structlog.stdlib.get_logger(__name__)


class _Target:
    """An operation with what a response needs, looked up once."""

    __slots__ = (
        "cost",
        "counts",
        "handler",
        "method",
        "operation",
        "reads_body",
        "scopes",
        "timings",
    )

    def __init__(self, operation: Operation, timings: Timings) -> None:
        self.operation = operation
        self.method = operation.method
        self.counts = not operation.operational
        self.cost = operation.cost
        self.handler = operation.handler
        self.reads_body = operation.reads_body
        self.scopes = frozenset(operation.scopes)
        self.timings = timings


class Dispatcher:
    """The application of a service.

    Above `max_in_flight` concurrent requests the response is 503: waiting requests cost memory, and
    their clients have a deadline. A request counts once it is complete; a stream counts until it
    begins. The handler of a command is never cancelled because its client left, so that a
    committed response is also stored.
    """

    def __init__(
        self,
        operations: Iterable[Operation],
        *,
        authenticator: Authenticates | None,
        registry: CollectorRegistry,
        max_in_flight: int = 1024,
        rate_limits: RateLimits | None = None,
    ) -> None:
        self._authenticator = authenticator
        self._metrics = RequestMetrics(registry)
        self._unmatched = self._metrics.of("none")
        self._max_in_flight = max_in_flight
        self._rate_limits = rate_limits or RateLimits(per_caller=0, per_address=0)
        self._routes = Routes(self._by_path(operations))

    def _by_path(self, operations: Iterable[Operation]) -> Sequence[tuple[str, dict[str, _Target]]]:
        paths: dict[str, dict[str, _Target]] = {}
        for operation in operations:
            target = _Target(operation, self._metrics.of(operation.operation_id))
            methods = paths.setdefault(operation.path, {})
            if methods.setdefault(operation.method, target) is not target:
                raise ValueError(f"{operation.method} {operation.path} is declared twice")
            if operation.method == "GET":
                methods["HEAD"] = target
        return list(paths.items())

    async def handle(self, head: RequestHead, body: bytes | None, address: str) -> AnyResponse:
        """The response to a request; `body` is None if it is larger than the server accepts.

        Everything but a cancellation becomes a response.
        """
        started = time.perf_counter()
        found = self._routes.find(head.path)
        target = None if found is None else found[0].get(head.method)
        if found is None or target is None:
            timings = self._unmatched
            response: AnyResponse = self._reject(_no_operation(found and found[0]), address)
        else:
            timings = target.timings
            response = await self._respond(target, found[1], head, body, address)
        timings.observe(response.status, time.perf_counter() - started)
        return response

    def reject(self, problem: Problem, address: str | None) -> Response:
        self.count_rejected(problem.name)
        return problem_response(problem) if address is None else self._reject(problem, address)

    def count_rejected(self, reason: str) -> None:
        self._metrics.rejected[reason] = self._metrics.rejected.get(reason, 0) + 1

    async def _respond(
        self,
        target: _Target,
        path_params: dict[str, str],
        head: RequestHead,
        body: bytes | None,
        address: str,
    ) -> AnyResponse:
        metrics, counts = self._metrics, target.counts
        if counts and metrics.in_flight >= self._max_in_flight:
            self.count_rejected("in_flight")
            return problem_response(unavailable("too many requests are in progress"))
        metrics.in_flight += counts
        try:
            headers, caller = head.headers, None
            if self._authenticator is not None:
                caller = await self._authenticate(headers, address, self._authenticator)
                self._admit(target, caller, address)
            if body is None or len(body) > target.operation.max_body:
                raise _too_large(target.operation.max_body)
            if not target.reads_body:
                body = b""
            elif body:
                _check_media_type(headers, target.operation.request_model is not None)
            request = Request(
                target.method,
                head.path,
                path_params,
                head.query_string,
                headers,
                caller,
                body,
            )
            request.charge = partial(self._charge, caller, address)
            return await target.handler(request)
        except Problem as problem:
            if problem.reason is not None:
                self.count_rejected(problem.reason)
            return problem_response(problem)
        except Exception as error:
            operation = target.operation.operation_id
            log.error("request_failed", operation=operation, error=describe_error(error))
            return problem_response(Problem("internal-error", "the log of the service has details"))
        finally:
            metrics.in_flight -= counts

    def _reject(self, problem: Problem, address: str) -> Response:
        """A request without an operation costs its address as much as a read."""
        try:
            self._rate_limits.take_address(address, 1)
        except Problem as limited:
            self.count_rejected(limited.reason or limited.name)
            return problem_response(limited)
        return problem_response(problem)

    async def _authenticate(
        self, headers: Headers, address: str, authenticator: Authenticates
    ) -> Caller | None:
        """The caller, None without a token. Raises 401, and 429 before a signature is verified."""
        authorization = _authorization(headers)
        if authorization is None:
            return None
        caller = authenticator.recall(authorization)
        if caller is None:
            self._rate_limits.take_address(address, VERIFICATION_COST)
            caller = await authenticator.authenticate(authorization)
            self._rate_limits.release_address(address, VERIFICATION_COST)
        return caller

    def _charge(self, caller: Caller | None, address: str, cost: float) -> None:
        if caller is None:
            self._rate_limits.take_address(address, cost)
        else:
            self._rate_limits.take_caller(caller.sub, cost)

    def _admit(self, target: _Target, caller: Caller | None, address: str) -> None:
        """Raises 401, 403 and 429."""
        self._charge(caller, address, target.cost)
        if caller is None:
            if target.scopes:
                raise unauthorized("this needs a bearer token", token_sent=False)
            return
        if target.scopes and target.scopes.isdisjoint(caller.scopes):
            raise forbidden(target.operation.scopes[0])


def _too_large(max_bytes: int) -> Problem:
    return Problem("too-large", f"a body has at most {max_bytes} bytes here")


def _authorization(headers: Headers) -> bytes | None:
    values = headers.values(b"authorization")
    if len(values) > 1:
        raise unauthorized("there are several Authorization headers", token_sent=True)
    return values[0] if values else None


def _check_media_type(headers: Headers, json_only: bool) -> None:
    coding = headers.joined(b"content-encoding")
    if coding is not None and coding.strip().lower() != "identity":
        raise Problem("unsupported-media-type", "the body must not have a content coding")
    content_type = headers.single(b"content-type")
    if not json_only or content_type == "application/json":
        return
    if (content_type or "").partition(";")[0].strip().lower() != "application/json":
        raise Problem("unsupported-media-type", "the body must be application/json")


def _no_operation(methods: Mapping[str, object] | None) -> Problem:
    """404 for an unknown path, 405 for one that has other methods."""
    if methods is None:
        return Problem("not-found", "there is no such resource")
    allowed = ", ".join(sorted(methods))
    return Problem("method-not-allowed", f"this supports {allowed}", headers={"Allow": allowed})
