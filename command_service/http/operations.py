"""Declares each command as an operation: how it is reached, and what the documents say of it."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic import BaseModel, Field

from command_service.commands.command import AnyCommand
from command_service.http.examples import ANSWERED_IDS, REQUESTS
from shared.http.documentation import openapi_document
from shared.http.operations import Handler, Operation
from shared.http.parameters import (
    ETAG_HEADER,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    LOCATION_HEADER,
    REPLAYED_HEADER,
    TOKEN_HEADER,
)


class CommandAnswer(BaseModel):
    """The aggregate, and its version after the command."""

    id: str = Field(json_schema_extra={"format": "uuid"})
    version: int = Field(ge=1)


_ALWAYS: Final = (
    "malformed-request",
    "invalid-field",
    "idempotency-key-in-use",
    "idempotency-key-reused",
)
_TO_EXISTING: Final = ("not-found", "version-conflict")
_TAGS: Final = {
    "users": "Accounts. An email belongs to one user, whatever its case.",
    "products": "The catalogue: prices and stock.",
    "orders": "Orders, from placed to delivered or cancelled.",
}
_DESCRIPTION: Final = """\
Commands change the shop. An answer's `Consistency-Token` stands for all that the command did: \
send it with reads, and they never answer from before it.

**Sending again.** With an `Idempotency-Key`, the same request gives the same answer again, with \
`Idempotent-Replayed: true`; so after a timeout, a lost connection or a 503, send it again as it \
was. The same key with another request is 422 `idempotency-key-reused`.

**Changing what you saw.** With `If-Match: "<version>"`, a command to anything that has another \
version by now is 412 `version-conflict`.

**What is refused** is `application/problem+json` (RFC 9457); its `type` says why, and \
`Retry-After` that the same request is worth sending again. Checks come in this order: 401, 403, \
413, 415, 400, 422 `invalid-field`, the stored answer, 404, 412, 422 `unknown-reference`, 409. \
Unknown fields are refused. Another's order or account is 404, not 403.

**Text** loses surrounding white space and holds no control character but line breaks and tabs."""


def command_operations(
    commands: Iterable[AnyCommand], endpoint: Callable[[AnyCommand], Handler]
) -> list[Operation]:
    """One operation for each command."""
    return [_operation(command, endpoint(command)) for command in commands]


def command_document(operations: Iterable[Operation]) -> dict[str, Any]:
    """The OpenAPI document of the command service."""
    return openapi_document(
        operations,
        title="Tandem commands",
        version="1.0.0",
        description=_DESCRIPTION,
        tags=_TAGS,
    )


def _operation(command: AnyCommand, handler: Handler) -> Operation:
    has_body = bool(command.message.model_fields)
    headers = {"Consistency-Token": TOKEN_HEADER, "Idempotent-Replayed": REPLAYED_HEADER}
    if command.method != "PUT":
        headers["ETag"] = ETAG_HEADER
    if command.creates:
        headers["Location"] = LOCATION_HEADER
    return Operation(
        method=command.method,
        path=command.path,
        handler=handler,
        operation_id=command.name,
        summary=command.name,
        description=_what_it_does(command),
        scopes=command.scopes,
        request_model=command.message if has_body else None,
        response_model=CommandAnswer,
        success_status=201 if command.creates else 200,
        tags=(command.topic,),
        problems=(*_ALWAYS, *(() if command.creates else _TO_EXISTING), *command.problems),
        parameters=(IDEMPOTENCY_KEY,) if command.creates else (IDEMPOTENCY_KEY, IF_MATCH),
        response_headers=headers,
        request_example=REQUESTS.get(command.name),
        response_example={
            "id": ANSWERED_IDS[command.topic],
            "version": 1 if command.creates else 2,
        },
    )


def _what_it_does(command: AnyCommand) -> str:
    """Each command's module opens with its name and what it does."""
    text = inspect.getdoc(inspect.getmodule(command.decide)) or ""
    what = text.partition(": ")[2]
    return what[:1].upper() + what[1:]
