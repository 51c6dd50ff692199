"""The demo's story: a customer, a product, an order, its event, its view. Each step is checked."""

import asyncio
import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin

import httpx

from deploy.local.errors import StackError
from deploy.local.event_lookup import Event, find_event
from deploy.local.plan import Plan
from deploy.local.terminal import Terminal
from deploy.local.tokens import issue_token

PRICE = {"amount": 1250, "currency": "EUR"}
QUANTITY = 2
SHOWN_HEADERS = ("ETag", "Location", "Consistency-Token")


@dataclass(frozen=True, slots=True)
class Call:
    """A request as it is sent and as it is shown; `token` is the name of a shell variable."""

    method: str
    url: str
    token: str
    body: dict[str, Any] | None = None
    headers: dict[str, str] | None = None

    def as_curl(self) -> str:
        method = "" if self.method == "GET" else f"-X {self.method} "
        lines = [f"curl -i {method}{self.url}", f'-H "Authorization: Bearer ${self.token}"']
        lines += [f"-H '{name}: {value}'" for name, value in (self.headers or {}).items()]
        if self.body is not None:
            lines += ["-H 'Content-Type: application/json'", f"-d '{json.dumps(self.body)}'"]
        return " \\\n  ".join(lines)


def run_walkthrough(plan: Plan, terminal: Terminal) -> None:
    """Raises StackError, naming the step, as soon as something is not as it must be."""
    with httpx.Client(timeout=15) as client:
        Walkthrough(plan, terminal, client).tell()


class Walkthrough:
    def __init__(self, plan: Plan, terminal: Terminal, client: httpx.Client) -> None:
        self.plan = plan
        self.terminal = terminal
        self.client = client
        self.tokens: dict[str, str] = {}
        self.commands = plan.url_of("command-service")
        self.queries = plan.url_of("query-service")

    def tell(self) -> None:
        self._grant("STAFF", "staff", "users:write:all products:write")
        customer = self._create_customer()
        self._grant("ADA", customer, "orders:write orders:read")
        product = self._add_product()
        self._follow_order(customer, product)

    def _create_customer(self) -> str:
        self.terminal.heading(1, "A customer")
        body = {"name": "Ada Lovelace", "email": "ada@example.com"}
        return self._command(Call("POST", f"{self.commands}/v1/users", "STAFF", body))

    def _add_product(self) -> str:
        self.terminal.heading(2, "A product")
        body: dict[str, Any] = {"name": "Tea for two", "description": "A pot, two cups"}
        body |= {"price": PRICE, "stock": 10}
        return self._command(Call("POST", f"{self.commands}/v1/products", "STAFF", body))

    def _follow_order(self, customer: str, product: str) -> None:
        self.terminal.heading(3, "An order: one command, decided and committed in PostgreSQL")
        placing = self._placing(customer, product)
        placed = self._send(placing)
        # Before anything is shown, so that the time it takes is the system's alone.
        reading = self._reading(placed)
        view = self._send_until_ready(reading)
        seen_at = datetime.now(UTC)
        self._show(placing, placed)
        order = check_created(placed)
        event = self._show_event(order)
        check_event(event, order)
        self.terminal.heading(5, "Its view, read from Redis with the command's Consistency-Token")
        self._show(reading, view)
        check_view(view, order, product)
        took = seen_at - datetime.fromisoformat(event.headers["ce_time"])
        self.terminal.space()
        milliseconds = took.total_seconds() * 1000
        self.terminal.result(f"The view was there, and read, {milliseconds:.0f} ms after the commit.")

    def _placing(self, customer: str, product: str) -> Call:
        body = {
            "customer_id": customer,
            "items": [{"product_id": product, "quantity": QUANTITY}],
            "shipping_address": "12 Saint James Square, London",
        }
        headers = {"Idempotency-Key": "ada-1"}
        return Call("POST", f"{self.commands}/v1/orders", "ADA", body, headers)

    def _reading(self, placed: httpx.Response) -> Call:
        check_created(placed)
        token = placed.headers["Consistency-Token"]
        url = urljoin(self.queries, placed.headers["Location"])
        return Call("GET", url, "ADA", None, {"Consistency-Token": token, "Prefer": "wait=10"})

    def _show_event(self, order: str) -> Event:
        self.terminal.heading(4, "Its event, as any consumer of the topic `orders` sees it")
        event = asyncio.run(find_event(self.plan.urls["KAFKA_BOOTSTRAP_SERVERS"], "orders", order))
        place = {"partition": f"{event.partition}, offset {event.offset}", "key": event.key}
        self.terminal.pairs(place | event.headers)
        self.terminal.json(event.value)
        return event

    def _command(self, call: Call) -> str:
        answer = self._send(call)
        self._show(call, answer)
        return check_created(answer)

    def _send(self, call: Call) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[call.token]}"} | (call.headers or {})
        try:
            return self.client.request(call.method, call.url, json=call.body, headers=headers)
        except httpx.TransportError as error:
            raise StackError(f"{call.method} {call.url} was not answered: {error}") from error

    def _send_until_ready(self, call: Call) -> httpx.Response:
        """A new shard may say 503 for a moment; a client would follow its Retry-After."""
        deadline = time.monotonic() + 10
        while True:
            answer = self._send(call)
            if answer.status_code != 503 or time.monotonic() > deadline:
                return answer
            time.sleep(0.05)

    def _show(self, call: Call, answer: httpx.Response) -> None:
        self.terminal.command(call.as_curl())
        self.terminal.result(f"{answer.status_code} {answer.reason_phrase}")
        shown = {name: answer.headers[name] for name in SHOWN_HEADERS if name in answer.headers}
        if shown:
            self.terminal.pairs(shown)
        self.terminal.json(answer.json())

    def _grant(self, name: str, subject: str, scope: str) -> None:
        self.tokens[name] = issue_token(self.plan.home.private_key, scope, subject)


def check_created(answer: httpx.Response) -> str:
    """The new id."""
    require(answer.status_code == 201, f"a command was answered {answer.status_code}", answer.text)
    body = answer.json()
    require(body["version"] == 1, "a new aggregate does not have version 1", answer.text)
    require("Consistency-Token" in answer.headers, "a Consistency-Token is missing", answer.text)
    return str(body["id"])


def check_event(event: Event, order: str) -> None:
    require(event.headers["ce_type"] == "order.placed", "the event has another type", str(event))
    require(event.headers["ce_subject"] == order, "the event is another order's", str(event))
    require(event.headers["ce_position"] == "1", "the event has another position", str(event))
    require(event.value["version"] == 1, "the event has another version", str(event))


def check_view(view: httpx.Response, order: str, product: str) -> None:
    require(view.status_code == 200, f"the read was answered {view.status_code}", view.text)
    body = view.json()
    total = {"amount": PRICE["amount"], "currency": "EUR"} | {"amount": 1250 * QUANTITY}
    require(body["id"] == order and body["status"] == "placed", "it is another order", view.text)
    require(body["total"] == total, "the total is wrong", view.text)
    require(body["items"][0]["product_id"] == product, "it has another product", view.text)


def require(right: bool, wrong: str, seen: str) -> None:
    if not right:
        raise StackError(f"the demo failed: {wrong}: {seen[:300]}")
