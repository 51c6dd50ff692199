"""Clients that send commands with idempotency keys and reads with tokens, and record the responses.

While the outcome of a command is unknown, it is sent again with its key. Some commands with a known
outcome are sent again too, one after the other or concurrently.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

import httpx

from faults.generator import (
    CommandRequest,
    PayWithin,
    ReadRequest,
    next_command,
    next_read,
)
from faults.history import Attempt, History
from faults.shop_model import ShopModel
from tests.support.identity import EVERYTHING, Identity

# Responses to commands take at most 10 s, to reads 10 s and their wait.
RESPONSE_TIMEOUT_S: Final = 20.0
_MAX_PAUSE_S: Final = 0.05
_READER_SCOPE: Final = "users:read:all orders:read:all products:write"
_OWNER_SCOPE: Final = "users:read orders:read"


class Load:
    """`writers` are clients that write and read their writes, `readers` only read."""

    def __init__(
        self,
        identity: Identity,
        command_url: Callable[[], str],
        query_url: Callable[[], str],
        history: History,
        shop: ShopModel,
        clock: Callable[[], float],
        name: str,
        pay_within: PayWithin,
    ) -> None:
        self._identity = identity
        self._command_url, self._query_url = command_url, query_url
        self._history = history
        self._clock = clock
        self._name = name
        self._pay_within = pay_within
        self._shop = shop
        self._stopping = asyncio.Event()
        self._writers: list[asyncio.Task[None]] = []
        self._readers: list[asyncio.Task[None]] = []
        self._client = httpx.AsyncClient(
            timeout=RESPONSE_TIMEOUT_S, limits=httpx.Limits(max_connections=200)
        )

    def start(self, writers: int, readers: int) -> None:
        self._writers = [asyncio.create_task(self._run_writer(number)) for number in range(writers)]
        self._readers = [asyncio.create_task(self._run_reader(number)) for number in range(readers)]

    async def finish(self, seconds: float) -> bool:
        """Send no new commands; whether all outcomes became known in time."""
        self._stopping.set()
        done, late = await asyncio.wait([*self._writers, *self._readers], timeout=seconds)
        for task in late:
            task.cancel()
        for task in done:
            task.result()
        return not late

    async def close(self) -> None:
        await self._client.aclose()

    async def read_all(self, token: str) -> None:
        """Read the latest 150 aggregates of each kind with a token that covers the event log."""
        for kind, name in (
            ("users", "GetUserById"),
            ("products", "GetProduct"),
            ("orders", "GetOrderSummary"),
        ):
            for id in list(getattr(self._shop, kind))[-150:]:
                await self.read(ReadRequest(name, f"/v1/{kind}/{id}", id, token), 10)
        await self.read(ReadRequest("GetDashboard", "/v1/dashboard", None, token), 10)

    async def _run_writer(self, number: int) -> None:
        random = Random(f"{self._name}/writer/{number}")
        step = 0
        while not self._stopping.is_set():
            step += 1
            mark = f"{self._name}-{number}-{step}"
            command = next_command(self._shop, random, mark, self._pay_within)
            attempt = await self._send_until_known(command, mark)
            if attempt.outcome == "ok":
                self._shop.record(attempt)
                await self._follow_up(command, mark, attempt, random)
            await asyncio.sleep(random.uniform(0, _MAX_PAUSE_S))

    async def _follow_up(
        self, command: CommandRequest, mark: str, attempt: Attempt, random: Random
    ) -> None:
        """Read the write, or send the same command once or twice more."""
        roll = random.random()
        if roll < 0.5 and attempt.id is not None and attempt.name != "EraseUser":
            kind = attempt.path.split("/")[2]
            name = {"users": "GetUserById", "products": "GetProduct"}.get(kind, "GetOrderSummary")
            token = attempt.response_token or ""
            await self.read(ReadRequest(name, f"/v1/{kind}/{attempt.id}", attempt.id, token), 1)
        elif roll < 0.6:
            await self._send(command, mark)
        elif roll < 0.65:
            await asyncio.gather(self._send(command, mark), self._send(command, mark))

    async def _send_until_known(self, command: CommandRequest, mark: str) -> Attempt:
        while True:
            attempt = await self._send(command, mark)
            if attempt.outcome != "unknown":
                return attempt
            await asyncio.sleep(0.2)

    async def _send(self, command: CommandRequest, mark: str) -> Attempt:
        attempt = Attempt(
            at=self._clock(), duration_s=0, side="commands", name=command.name, caller=mark,
            method=command.method, path=command.path, key=f"key-{mark}", request=command.body,
        )  # fmt: skip
        headers = {"Idempotency-Key": f"key-{mark}", **command.headers}
        response = await self._request(attempt, self._command_url(), EVERYTHING, headers)
        if response is not None and response.status_code < 300:
            body = response.json()
            attempt.id, attempt.version = body["id"], body["version"]
        return self._history.add(attempt)

    async def _run_reader(self, number: int) -> None:
        random = Random(f"{self._name}/reader/{number}")
        while not self._stopping.is_set():
            await self.read(next_read(self._shop, random), random.choice([0, 0, 1, 2]))
            await asyncio.sleep(random.uniform(0, _MAX_PAUSE_S))

    async def read(self, request: ReadRequest, wait: float) -> Attempt:
        attempt = Attempt(
            at=self._clock(), duration_s=0, side="reads", name=request.name,
            caller=request.owner or "reader", method="GET", path=request.path,
            id=request.id, token=request.token, wait=wait if request.token else 0,
        )  # fmt: skip
        headers = {"Prefer": f"wait={int(wait)}"}
        if request.token:
            headers["Consistency-Token"] = request.token
        scope = _OWNER_SCOPE if request.owner else _READER_SCOPE
        response = await self._request(attempt, self._query_url(), scope, headers)
        if response is not None and response.status_code == 200:
            attempt.response = _extract(request.name, response.json())
            attempt.version = (attempt.response or {}).get("version")
        return self._history.add(attempt)

    def _token(self, caller: str, scope: str) -> str:
        """Valid for a day, so that a process whose clock is off by an hour accepts it."""
        return self._identity.token(caller, scope, exp=int(time.time()) + 86_400)

    async def _request(
        self, attempt: Attempt, url: str, scope: str, headers: dict[str, str]
    ) -> httpx.Response | None:
        """Record the common parts of a response; None without a response."""
        sent = {"Authorization": f"Bearer {self._token(attempt.caller, scope)}", **headers}
        try:
            response = await self._client.request(
                attempt.method, url + attempt.path, json=attempt.request, headers=sent
            )
        except (httpx.HTTPError, OSError) as error:
            attempt.error, attempt.duration_s = type(error).__name__, self._clock() - attempt.at
            return None
        attempt.duration_s = self._clock() - attempt.at
        attempt.status = response.status_code
        attempt.retry_after = response.headers.get("retry-after")
        attempt.response_token = response.headers.get("consistency-token")
        attempt.replayed = response.headers.get("idempotent-replayed") == "true"
        if response.status_code >= 400:
            problem = response.json()
            attempt.problem = str(problem["type"]).rpartition("/")[2]
            attempt.error = problem.get("detail")
        return response


def _extract(name: str, response: Any) -> Any:
    """The parts of a response that the auditor checks."""
    if name == "GetHistory":
        return {"versions": [item["version"] for item in response["items"]]}
    if "items" in response and "next" in response:
        items = [[item["id"], item["version"]] for item in response["items"]]
        owners = {item["customer_id"] for item in response["items"] if "customer_id" in item}
        return {"list": items, "owners": sorted(owners), "next": response["next"] is not None}
    return response
