"""Clients that send commands with keys and reads with tokens, and write down what they are told.

A command whose outcome is unknown is sent again with its key until it is known; some that are
known are sent again all the same, one after the other or at the same time.
"""

import asyncio
import time
from collections.abc import Callable
from random import Random
from typing import Any, Final

import httpx

from faults.choosing import Chosen, Question, next_command, next_question
from faults.history import Attempt, History
from faults.shelf import Shelf
from tests.support.identity import EVERYTHING, Identity

# Commands are answered within 10 s, reads within that and their wait.
REPLY_TIMEOUT_S: Final = 20.0
_LONGEST_PAUSE: Final = 0.05
_READER_SCOPE: Final = "users:read:all orders:read:all products:write"
_OWNER_SCOPE: Final = "users:read orders:read"


class Load:
    """`writers` clients that write and read what they wrote, `readers` that read what is there."""

    def __init__(
        self,
        identity: Identity,
        command_url: Callable[[], str],
        query_url: Callable[[], str],
        history: History,
        shelf: Shelf,
        clock: Callable[[], float],
        name: str,
    ) -> None:
        self._identity = identity
        self._command_url, self._query_url = command_url, query_url
        self._history = history
        self._clock = clock
        self._name = name
        self._shelf = shelf
        self._ending = asyncio.Event()
        self._tasks: list[asyncio.Task[None]] = []
        self._reading: list[asyncio.Task[None]] = []
        self._client = httpx.AsyncClient(
            timeout=REPLY_TIMEOUT_S, limits=httpx.Limits(max_connections=200)
        )

    def start(self, writers: int, readers: int) -> None:
        self._tasks = [asyncio.create_task(self._write(number)) for number in range(writers)]
        self._reading = [asyncio.create_task(self._read(number)) for number in range(readers)]

    async def finish(self, seconds: float) -> bool:
        """No new commands; whether all that are under way became known in time."""
        self._ending.set()
        done, late = await asyncio.wait([*self._tasks, *self._reading], timeout=seconds)
        for task in late:
            task.cancel()
        for task in done:
            task.result()
        return not late

    async def close(self) -> None:
        await self._client.aclose()

    async def read_everything(self, token: str) -> None:
        """Each thing that was made, asked for once with a token that stands for the whole log."""
        for kind, name in (
            ("users", "GetUserById"),
            ("products", "GetProduct"),
            ("orders", "GetOrderSummary"),
        ):
            for id in list(getattr(self._shelf, kind))[-150:]:
                await self.ask(Question(name, f"/v1/{kind}/{id}", id, token), 10)
        await self.ask(Question("GetDashboard", "/v1/dashboard", None, token), 10)

    async def _write(self, number: int) -> None:
        random = Random(f"{self._name}/writer/{number}")
        step = 0
        while not self._ending.is_set():
            step += 1
            mark = f"{self._name}-{number}-{step}"
            chosen = next_command(self._shelf, random, mark)
            known = await self._until_known(chosen, mark)
            if known.outcome == "ok":
                self._shelf.learn(known)
                await self._afterwards(chosen, mark, known, random)
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE))

    async def _afterwards(self, chosen: Chosen, mark: str, known: Attempt, random: Random) -> None:
        """Reads what it wrote, or sends the same again: alone, or as two copies at once."""
        roll = random.random()
        if roll < 0.5 and known.id is not None and known.name != "EraseUser":
            kind = known.path.split("/")[2]
            name = {"users": "GetUserById", "products": "GetProduct"}.get(kind, "GetOrderSummary")
            token = known.answer_token or ""
            await self.ask(Question(name, f"/v1/{kind}/{known.id}", known.id, token), 1)
        elif roll < 0.6:
            await self._send(chosen, mark)
        elif roll < 0.65:
            await asyncio.gather(self._send(chosen, mark), self._send(chosen, mark))

    async def _until_known(self, chosen: Chosen, mark: str) -> Attempt:
        while True:
            attempt = await self._send(chosen, mark)
            if attempt.outcome != "unknown":
                return attempt
            await asyncio.sleep(0.2)

    async def _send(self, chosen: Chosen, mark: str) -> Attempt:
        attempt = Attempt(
            at=self._clock(), took=0, part="commands", name=chosen.name, caller=mark,
            method=chosen.method, path=chosen.path, key=f"key-{mark}", request=chosen.body,
        )  # fmt: skip
        headers = {"Idempotency-Key": f"key-{mark}", **chosen.headers}
        answer = await self._request(attempt, self._command_url(), EVERYTHING, headers)
        if answer is not None and answer.status_code < 300:
            body = answer.json()
            attempt.id, attempt.version = body["id"], body["version"]
        return self._history.add(attempt)

    async def _read(self, number: int) -> None:
        random = Random(f"{self._name}/reader/{number}")
        while not self._ending.is_set():
            await self.ask(next_question(self._shelf, random), random.choice([0, 0, 1, 2]))
            await asyncio.sleep(random.uniform(0, _LONGEST_PAUSE))

    async def ask(self, question: Question, wait: float) -> Attempt:
        attempt = Attempt(
            at=self._clock(), took=0, part="reads", name=question.name,
            caller=question.owner or "reader", method="GET", path=question.path,
            id=question.id, token=question.token, wait=wait if question.token else 0,
        )  # fmt: skip
        headers = {"Prefer": f"wait={int(wait)}"}
        if question.token:
            headers["Consistency-Token"] = question.token
        scope = _OWNER_SCOPE if question.owner else _READER_SCOPE
        answer = await self._request(attempt, self._query_url(), scope, headers)
        if answer is not None and answer.status_code == 200:
            attempt.answer = _kept(question.name, answer.json())
            attempt.version = (attempt.answer or {}).get("version")
        return self._history.add(attempt)

    def _token(self, caller: str, scope: str) -> str:
        """Good for a day: also for a process whose clock is wrong by an hour."""
        return self._identity.token(caller, scope, exp=int(time.time()) + 86_400)

    async def _request(
        self, attempt: Attempt, url: str, scope: str, headers: dict[str, str]
    ) -> httpx.Response | None:
        """Fills in what every answer has; None where there was none."""
        sent = {"Authorization": f"Bearer {self._token(attempt.caller, scope)}", **headers}
        try:
            answer = await self._client.request(
                attempt.method, url + attempt.path, json=attempt.request, headers=sent
            )
        except (httpx.HTTPError, OSError) as error:
            attempt.error, attempt.took = type(error).__name__, self._clock() - attempt.at
            return None
        attempt.took = self._clock() - attempt.at
        attempt.status = answer.status_code
        attempt.retry_after = answer.headers.get("retry-after")
        attempt.answer_token = answer.headers.get("consistency-token")
        attempt.replayed = answer.headers.get("idempotent-replayed") == "true"
        if answer.status_code >= 400:
            problem = answer.json()
            attempt.problem = str(problem["type"]).rpartition("/")[2]
            attempt.error = problem.get("detail")
        return answer


def _kept(name: str, answer: Any) -> Any:
    """As much of a read's answer as there is to judge."""
    if name == "GetHistory":
        return {"versions": [item["version"] for item in answer["items"]]}
    if "items" in answer and "next" in answer:
        items = [[item["id"], item["version"]] for item in answer["items"]]
        owners = {item["customer_id"] for item in answer["items"] if "customer_id" in item}
        return {"list": items, "owners": sorted(owners), "next": answer["next"] is not None}
    return answer
