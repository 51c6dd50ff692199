"""Sends one command and one tokened read through a stack, and takes the user away again."""

import time
import uuid
from urllib.parse import urljoin

import httpx

from deploy.local.errors import StackError
from deploy.local.plan import Plan
from deploy.local.startup import Startup
from deploy.local.tokens import issue_token

SECONDS = 30


def check_round_trip(plan: Plan, starting: Startup) -> None:
    """Raises StackError, naming the step that failed and the log to look in."""
    began = time.monotonic()
    token = issue_token(plan.home.private_key, "users:write:all users:read:all", expires_in=300)
    with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=20) as client:
        created = _insist(plan, client, "command-service", _create(plan, client), 201)
        try:
            _read(plan, client, created)
        finally:
            _erase(plan, client, created)
    starting.say(f"a command and its read went through in {time.monotonic() - began:.2f} s")


def _create(plan: Plan, client: httpx.Client) -> httpx.Request:
    key = str(uuid.uuid4())
    user = {"name": "Check of make up", "email": f"check-{key}@tandem.invalid"}
    url = f"{plan.url_of('command-service')}/v1/users"
    return client.build_request("POST", url, json=user, headers={"Idempotency-Key": key})


def _read(plan: Plan, client: httpx.Client, created: httpx.Response) -> None:
    url = urljoin(plan.url_of("query-service"), created.headers["Location"])
    headers = {"Consistency-Token": created.headers["Consistency-Token"], "Prefer": "wait=10"}
    read = _insist(
        plan, client, "query-service", client.build_request("GET", url, headers=headers), 200
    )
    if read.json().get("id") != created.json()["id"]:
        raise StackError(f"the query service answered another user than was made: {read.text}")


def _erase(plan: Plan, client: httpx.Client, created: httpx.Response) -> None:
    url = f"{plan.url_of('command-service')}/v1/users/{created.json()['id']}"
    _insist(plan, client, "command-service", client.build_request("DELETE", url), 200, 404, 405)


def _insist(
    plan: Plan, client: httpx.Client, service: str, request: httpx.Request, *wanted: int
) -> httpx.Response:
    """Sent again while the service says that it, or the view, is not there yet."""
    deadline = time.monotonic() + SECONDS
    while True:
        try:
            response = client.send(request)
            said = f"{response.status_code} {response.text[:200]}"
            if response.status_code in wanted:
                return response
            again = response.status_code in (412, 503)
        except httpx.TransportError as error:
            said, again = str(error) or type(error).__name__, True
        if not again or time.monotonic() > deadline:
            log = next(plan.home.logs.glob(f"{service}*.log"), plan.home.logs)
            raise StackError(
                f"{request.method} {request.url.path} at the {service} failed: {said} ({log})"
            )
        time.sleep(0.1)
