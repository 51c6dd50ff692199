"""The demo's steps: a customer, a product, an order, its event, its view. Each one is checked."""

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
    """A request to send and to display; `token` is the name of a shell variable."""

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
    """Raises StackError with the first failed check."""
    with httpx.Client(timeout=15) as client:
        Walkthrough(plan, terminal, client).run()


class Walkthrough:
    def __init__(self, plan: Plan, terminal: Terminal, client: httpx.Client) -> None:
        self.plan = plan
        self.terminal = terminal
        self.client = client
        self.tokens: dict[str, str] = {}
        self.commands = plan.url_of("command-service")
        self.queries = plan.url_of("query-service")

    def run(self) -> None:
        self._issue_token("STAFF", "staff", "users:write:all products:write")
        customer = self._create_customer()
        self._issue_token("ADA", customer, "orders:write orders:read")
        product = self._add_product()
        self._place_order(customer, product)

    def _create_customer(self) -> str:
        self.terminal.heading(1, "A customer")
        body = {"name": "Ada Lovelace", "email": "ada@example.com"}
        return self._command(Call("POST", f"{self.commands}/v1/users", "STAFF", body))

    def _add_product(self) -> str:
        self.terminal.heading(2, "A product")
        body: dict[str, Any] = {"name": "Tea for two", "description": "A pot, two cups"}
        body |= {"price": PRICE, "stock": 10}
        return self._command(Call("POST", f"{self.commands}/v1/products", "STAFF", body))

    def _place_order(self, customer: str, product: str) -> None:
        self.terminal.heading(3, "An order: one command, committed in PostgreSQL")
        command = self._order_command(customer, product)
        placed = self._send(command)
        # Before any output, so that the measured time is the system's alone.
        query = self._order_query(placed)
        view = self._send_until_ready(query)
        read_at = datetime.now(UTC)
        self._show(command, placed)
        order = check_created(placed)
        event = self._show_event(order)
        check_event(event, order)
        self.terminal.heading(5, "Its view, read from Redis with the command's Consistency-Token")
        self._show(query, view)
        check_view(view, order, product)
        elapsed = read_at - datetime.fromisoformat(event.headers["ce_time"])
        self.terminal.blank_line()
        milliseconds = elapsed.total_seconds() * 1000
        self.terminal.result(f"The view was read {milliseconds:.0f} ms after the commit.")

    def _order_command(self, customer: str, product: str) -> Call:
        body = {
            "customer_id": customer,
            "items": [{"product_id": product, "quantity": QUANTITY}],
            "shipping_address": "12 Saint James Square, London",
        }
        headers = {"Idempotency-Key": "ada-1"}
        return Call("POST", f"{self.commands}/v1/orders", "ADA", body, headers)

    def _order_query(self, placed: httpx.Response) -> Call:
        check_created(placed)
        token = placed.headers["Consistency-Token"]
        url = urljoin(self.queries, placed.headers["Location"])
        return Call("GET", url, "ADA", None, {"Consistency-Token": token, "Prefer": "wait=10"})

    def _show_event(self, order: str) -> Event:
        self.terminal.heading(4, "Its event, as consumers of the topic `orders` receive it")
        event = asyncio.run(find_event(self.plan.urls["KAFKA_BOOTSTRAP_SERVERS"], "orders", order))
        location = {"partition": f"{event.partition}, offset {event.offset}", "key": event.key}
        self.terminal.pairs(location | event.headers)
        self.terminal.json(event.value)
        return event

    def _command(self, call: Call) -> str:
        response = self._send(call)
        self._show(call, response)
        return check_created(response)

    def _send(self, call: Call) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.tokens[call.token]}"} | (call.headers or {})
        try:
            return self.client.request(call.method, call.url, json=call.body, headers=headers)
        except httpx.TransportError as error:
            raise StackError(f"{call.method} {call.url} failed: {error}") from error

    def _send_until_ready(self, call: Call) -> httpx.Response:
        """A new shard may respond with 503 briefly; a client would wait for its Retry-After."""
        deadline = time.monotonic() + 10
        while True:
            response = self._send(call)
            if response.status_code != 503 or time.monotonic() > deadline:
                return response
            time.sleep(0.05)

    def _show(self, call: Call, response: httpx.Response) -> None:
        self.terminal.command(call.as_curl())
        self.terminal.result(f"{response.status_code} {response.reason_phrase}")
        shown = {name: response.headers[name] for name in SHOWN_HEADERS if name in response.headers}
        if shown:
            self.terminal.pairs(shown)
        self.terminal.json(response.json())

    def _issue_token(self, name: str, subject: str, scope: str) -> None:
        self.tokens[name] = issue_token(self.plan.home.private_key, scope, subject)


def check_created(response: httpx.Response) -> str:
    """The new id."""
    expect(response.status_code == 201, f"a command returned {response.status_code}", response.text)
    body = response.json()
    expect(body["version"] == 1, "a new aggregate does not have version 1", response.text)
    expect("Consistency-Token" in response.headers, "a Consistency-Token is missing", response.text)
    return str(body["id"])


def check_event(event: Event, order: str) -> None:
    expect(event.headers["ce_type"] == "order.placed", "the event has another type", str(event))
    expect(event.headers["ce_subject"] == order, "the event belongs to another order", str(event))
    expect(event.headers["ce_position"] == "1", "the event has another position", str(event))
    expect(event.value["version"] == 1, "the event has another version", str(event))


def check_view(view: httpx.Response, order: str, product: str) -> None:
    expect(view.status_code == 200, f"the query returned {view.status_code}", view.text)
    body = view.json()
    total = {"amount": PRICE["amount"], "currency": "EUR"} | {"amount": 1250 * QUANTITY}
    expect(
        body["id"] == order and body["status"] == "placed",
        "wrong order or status",
        view.text,
    )
    expect(body["total"] == total, "the total is wrong", view.text)
    expect(body["items"][0]["product_id"] == product, "the order has another product", view.text)


def expect(condition: bool, failure: str, found: str) -> None:
    if not condition:
        raise StackError(f"the demo failed: {failure}: {found[:300]}")
