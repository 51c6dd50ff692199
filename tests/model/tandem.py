"""A synchronous client of Tandem: commands, reads, and the topics."""

import asyncio
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

import httpx

from tests.contract.topics import RawRecord, Topics
from tests.model.model import Request
from tests.model.scopes import ALL_SCOPES
from tests.support.identity import EVERYTHING
from tests.support.stack import Stack

T = TypeVar("T")
ROUTES = {
    "CreateUser": ("POST", "/v1/users"),
    "UpdateUserName": ("PUT", "/v1/users/{}/name"),
    "UpdateUserEmail": ("PUT", "/v1/users/{}/email"),
    "EraseUser": ("DELETE", "/v1/users/{}"),
    "AddProduct": ("POST", "/v1/products"),
    "UpdateProductPrice": ("PUT", "/v1/products/{}/price"),
    "RestockProduct": ("POST", "/v1/products/{}/restock"),
    "RetireProduct": ("DELETE", "/v1/products/{}"),
    "PlaceOrder": ("POST", "/v1/orders"),
    "PayOrder": ("POST", "/v1/orders/{}/pay"),
    "RefundOrder": ("POST", "/v1/orders/{}/refund"),
    "ShipOrder": ("POST", "/v1/orders/{}/ship"),
    "DeliverOrder": ("POST", "/v1/orders/{}/deliver"),
    "CancelOrder": ("POST", "/v1/orders/{}/cancel"),
}
MAX_TOKEN_LENGTH = 2000


class Tandem:
    """`token` covers every command and every read so far."""

    def __init__(self, stack: Stack) -> None:
        self._command_url = stack["command-service"].url
        self._query_url = stack["query-service"].url
        self._identity = stack.identity
        self._http = httpx.Client(timeout=40)
        self._bearers: dict[tuple[str, frozenset[str]], str] = {}
        self._loop = asyncio.new_event_loop()
        self._topics = self._run(Topics.open(stack.kafka.bootstrap_servers))
        self.token = ""

    def close(self) -> None:
        self._http.close()
        self._run(self._topics.close())
        self._loop.close()

    def _run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The consumer runs only during this call, so that hypothesis stays deterministic."""
        return self._loop.run_until_complete(asyncio.wait_for(coroutine, 60))

    def send(self, request: Request) -> httpx.Response:
        method, path = ROUTES[request.command]
        headers = {"Authorization": self._bearer(request.sub, request.scopes)}
        if request.key is not None:
            headers["Idempotency-Key"] = request.key
        if request.if_match is not None:
            headers["If-Match"] = f'"{request.if_match}"'
        url = self._command_url + path.format(request.target)
        body = request.body or None
        response = self._http.request(method, url, json=body, headers=headers)
        token = response.headers.get("consistency-token")
        if token and token not in self.token.split(","):
            self.token = ",".join(filter(None, [self.token, token]))
        if len(self.token) > MAX_TOKEN_LENGTH:
            self.get("/v1/dashboard")
        return response

    def get(self, path: str) -> Any:
        """The JSON of a path, read with the last token; None if it is 404."""
        headers = {"Authorization": self._bearer("reader", ALL_SCOPES), "Prefer": "wait=30"}
        if self.token:
            headers["Consistency-Token"] = self.token
        response = self._http.get(self._query_url + path, headers=headers)
        assert response.status_code in (200, 404), (path, response.text)
        self.token = response.headers.get("consistency-token", self.token)
        return response.json() if response.status_code == 200 else None

    def walk(self, path: str, limit: int, last: str = "") -> list[dict[str, Any]]:
        """The items of a list, page by page, at least until an id below `last`."""
        join = "&" if "?" in path else "?"
        found: list[dict[str, Any]] = []
        cursor = ""
        while True:
            page = self.get(f"{path}{join}limit={limit}{cursor}")
            found += page["items"]
            if page["next"] is None or (last and found[-1]["id"] < last):
                return found
            cursor = f"&{httpx.QueryParams({'cursor': page['next']})}"

    def events(
        self, complete: Callable[[dict[str, list[RawRecord]]], bool]
    ) -> dict[str, list[RawRecord]]:
        """The events by aggregate, without duplicates, when `complete` returns True."""
        deadline = time.monotonic() + 30
        while True:
            self._run(self._topics.poll())
            found: dict[str, list[RawRecord]] = {}
            for record in self._topics.without_duplicates():
                found.setdefault(record.key, []).append(record)
            if complete(found):
                return found
            assert time.monotonic() < deadline, "the events are not published"

    def _bearer(self, sub: str, scopes: frozenset[str]) -> str:
        if (sub, scopes) not in self._bearers:
            scope = EVERYTHING if sub == "reader" else " ".join(sorted(scopes))
            self._bearers[sub, scopes] = f"Bearer {self._identity.token(sub, scope)}"
        return self._bearers[sub, scopes]
