"""Declares each command as an HTTP operation, and describes it for the OpenAPI document."""

import inspect
from collections.abc import Callable, Iterable
from typing import Any, Final

from pydantic import BaseModel, Field

from command_service.commands.command import AnyCommand
from command_service.http.examples import REQUESTS, RESULT_IDS
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


class CommandResult(BaseModel):
    """The id of the aggregate, and its version after the command."""

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
    "users": "Accounts. An email belongs to one user; its case is ignored.",
    "products": "The catalogue: prices and stock.",
    "orders": "Orders, from placed to delivered or cancelled.",
}
_DESCRIPTION: Final = """\
Commands change the shop. The `Consistency-Token` of a response covers everything that the command \
did: send it with later reads, and their responses include it.

**Retries.** With an `Idempotency-Key`, the same request gives the same response, with \
`Idempotent-Replayed: true`. After a timeout, a lost connection or a 503, retry the unchanged \
request. The same key with another request is 422 `idempotency-key-reused`.

**Concurrent changes.** With `If-Match: "<version>"`, a command to an aggregate that has another \
version is 412 `version-conflict`.

**Errors** are `application/problem+json` (RFC 9457). Their `type` states the reason; \
`Retry-After` means that the same request can succeed later. Checks are in this order: 401, \
403, 413, 415, 400, 422 `invalid-field`, the stored response, 404, 412, 422 `unknown-reference`, \
409. Unknown fields are rejected. Resources that belong to another user are reported as 404, not \
403.

**Text.** Leading and trailing whitespace is trimmed; control characters other than line breaks \
and tabs are rejected."""


_COST: Final = 4.0
"""Of a command, in reads of one document."""


def command_operations(
    commands: Iterable[AnyCommand], endpoint: Callable[[AnyCommand], Handler]
) -> list[Operation]:
    """One operation per command."""
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
        description=_description(command),
        scopes=command.scopes,
        request_model=command.message if has_body else None,
        response_model=CommandResult,
        success_status=201 if command.creates else 200,
        cost=_COST,
        tags=(command.topic,),
        problems=(*_ALWAYS, *(() if command.creates else _TO_EXISTING), *command.problems),
        parameters=(IDEMPOTENCY_KEY,) if command.creates else (IDEMPOTENCY_KEY, IF_MATCH),
        response_headers=headers,
        request_example=REQUESTS.get(command.name),
        response_example={
            "id": RESULT_IDS[command.topic],
            "version": 1 if command.creates else 2,
        },
    )


def _description(command: AnyCommand) -> str:
    """From the first line of the command's module, which is `<name>: <description>`."""
    text = inspect.getdoc(inspect.getmodule(command.decide)) or ""
    description = text.partition(": ")[2]
    return description[:1].upper() + description[1:]
