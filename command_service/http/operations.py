"""Declares each command as an operation: how it is reached, and what the documents say of it."""

from collections.abc import Callable, Iterable
from typing import Final

from pydantic import BaseModel, Field

from command_service.commands.command import AnyCommand
from shared.http.operations import Handler, Operation
from shared.http.parameters import (
    ETAG_ANSWER,
    IDEMPOTENCY_KEY,
    IF_MATCH,
    LOCATION_ANSWER,
    REPLAYED_ANSWER,
    TOKEN_ANSWER,
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


def command_operations(
    commands: Iterable[AnyCommand], endpoint: Callable[[AnyCommand], Handler]
) -> list[Operation]:
    """One operation for each command."""
    return [_operation(command, endpoint(command)) for command in commands]


def _operation(command: AnyCommand, handler: Handler) -> Operation:
    has_body = bool(command.message.model_fields)
    headers = {"Consistency-Token": TOKEN_ANSWER, "Idempotent-Replayed": REPLAYED_ANSWER}
    if command.method != "PUT":
        headers["ETag"] = ETAG_ANSWER
    if command.creates:
        headers["Location"] = LOCATION_ANSWER
    return Operation(
        method=command.method,
        path=command.path,
        handler=handler,
        operation_id=command.name,
        summary=command.name,
        scopes=command.scopes,
        request_model=command.message if has_body else None,
        response_model=CommandAnswer,
        success_status=201 if command.creates else 200,
        tags=(command.topic,),
        problems=(*_ALWAYS, *(() if command.creates else _TO_EXISTING), *command.problems),
        parameters=(IDEMPOTENCY_KEY,) if command.creates else (IDEMPOTENCY_KEY, IF_MATCH),
        response_headers=headers,
    )
