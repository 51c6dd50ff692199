"""The shop in plain dictionaries, based on the contract only."""

import json
import unicodedata
from dataclasses import dataclass, field
from typing import Any

from tests.model.scopes import UNRESTRICTED

Json = dict[str, Any]
PERSONAL_FIELDS = {"customer_name", "shipping_address", "reason", "carrier", "tracking_number"}
"""Of the events of an order."""


@dataclass(frozen=True)
class Request:
    """A command by `sub`, sent to `target` unless it creates something."""

    command: str
    target: str | None
    body: Json
    sub: str
    scopes: frozenset[str]
    key: str | None = None
    if_match: int | None = None

    def fingerprint(self) -> str:
        return json.dumps([self.command, self.target, self.body, self.if_match], sort_keys=True)


@dataclass(frozen=True)
class ExpectedResponse:
    """The status, the name of the problem, and the version after an accepted command."""

    status: int
    problem: str | None = None
    version: int | None = None
    id: str | None = None
    replayed: bool = False


class Rejected(Exception):
    def __init__(self, status: int, problem: str) -> None:
        super().__init__(problem)
        self.status, self.problem = status, problem


def email_key(email: str) -> str:
    return unicodedata.normalize("NFC", email).casefold()


@dataclass
class Model:
    """Aggregates by id, with the fields of their documents; `events` by aggregate."""

    users: dict[str, Json] = field(default_factory=dict)
    products: dict[str, Json] = field(default_factory=dict)
    orders: dict[str, Json] = field(default_factory=dict)
    events: dict[str, list[tuple[str, str | None, Json]]] = field(default_factory=dict)
    stored_responses: dict[tuple[str, str], tuple[str, ExpectedResponse]] = field(
        default_factory=dict
    )

    def version(self, id: str) -> int:
        return len(self.events[id])

    def append_event(self, id: str, type: str, actor: str | None, **data: Any) -> None:
        self.events.setdefault(id, []).append((type, actor, data))

    def find_target(self, request: Request) -> str:
        """The target's id. Raises 404 and 412."""
        id = request.target or ""
        exists = id in self.events and not self.users.get(id, {}).get("erased")
        if not exists or not self._has_access(request, id):
            raise Rejected(404, "not-found")
        if request.if_match is not None and request.if_match != self.version(id):
            raise Rejected(412, "version-conflict")
        return id

    def _has_access(self, request: Request, id: str) -> bool:
        if UNRESTRICTED[request.command] in request.scopes:
            return True
        owner = self.orders[id]["customer_id"] if id in self.orders else id
        return bool(owner == request.sub)

    def anonymize(self, user: str, actor: str) -> list[str]:
        """Anonymize the orders of an erased user; return their ids."""
        changed = [id for id, o in self.orders.items() if o["customer_id"] == user]
        for id in changed:
            self.orders[id].update(dict.fromkeys(PERSONAL_FIELDS & self.orders[id].keys()))
            self.orders[id]["cancel_reason"] = None
            for _, _, data in self.events[id]:
                data.update(dict.fromkeys(PERSONAL_FIELDS & data.keys()))
            self.append_event(id, "order.anonymized", actor)
        return changed
