"""Creates a user, reads it back with its consistency token, and erases it."""

import time
import uuid
from urllib.parse import urljoin

import httpx

from deploy.local.errors import StackError
from deploy.local.plan import Plan
from deploy.local.tokens import issue_token

TIMEOUT_S = 30


def check_round_trip(plan: Plan) -> float:
    """Returns the duration in seconds. Raises StackError with the failed request and its log."""
    began = time.monotonic()
    token = issue_token(plan.home.private_key, "users:write:all users:read:all", expires_in=300)
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        created = _send_with_retry(plan, client, "command-service", _create(plan, client), 201)
        try:
            _read(plan, client, created)
        finally:
            _erase(plan, client, created)
    return time.monotonic() - began


def _create(plan: Plan, client: httpx.Client) -> httpx.Request:
    key = str(uuid.uuid4())
    user = {"name": "Check of make up", "email": f"check-{key}@tandem.invalid"}
    url = f"{plan.url_of('command-service')}/v1/users"
    return client.build_request("POST", url, json=user, headers={"Idempotency-Key": key})


def _read(plan: Plan, client: httpx.Client, created: httpx.Response) -> None:
    url = urljoin(plan.url_of("query-service"), created.headers["Location"])
    headers = {"Consistency-Token": created.headers["Consistency-Token"], "Prefer": "wait=10"}
    read = _send_with_retry(
        plan, client, "query-service", client.build_request("GET", url, headers=headers), 200
    )
    if read.json().get("id") != created.json()["id"]:
        raise StackError(f"the query service returned another user: {read.text}")


def _erase(plan: Plan, client: httpx.Client, created: httpx.Response) -> None:
    url = f"{plan.url_of('command-service')}/v1/users/{created.json()['id']}"
    _send_with_retry(
        plan, client, "command-service", client.build_request("DELETE", url), 200, 404, 405
    )


def _send_with_retry(
    plan: Plan, client: httpx.Client, service: str, request: httpx.Request, *expected: int
) -> httpx.Response:
    """Retries while the service or the view is not ready yet."""
    deadline = time.monotonic() + TIMEOUT_S
    while True:
        try:
            response = client.send(request)
            found = f"{response.status_code} {response.text[:200]}"
            if response.status_code in expected:
                return response
            can_retry = response.status_code in (412, 503)
        except httpx.TransportError as error:
            found, can_retry = str(error) or type(error).__name__, True
        if not can_retry or time.monotonic() > deadline:
            log = next(plan.home.logs.glob(f"{service}*.log"), plan.home.logs)
            raise StackError(
                f"{request.method} {request.url.path} to the {service} failed: {found} ({log})"
            )
        time.sleep(0.1)
