"""Decides a batch of commands in one transaction."""

import traceback
from collections.abc import Callable, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog

from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.write_store.erasure import erase_personal_data
from command_service.write_store.log_append import NewEvent, append, head_tokens
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.reservations import Claims, claim
from command_service.write_store.results import (
    KEY_IN_USE,
    Accepted,
    Answer,
    Rejected,
    Stored,
    recall,
)
from command_service.write_store.state import load, save
from shared.contracts.events import Event, UserErased
from shared.contracts.shards import shard_of
from shared.contracts.tokens import format_token

logger = structlog.get_logger(__name__)


class Postponed:
    """The command must wait for the next batch: another transaction holds an email it wants."""


@dataclass(frozen=True, slots=True)
class Defect:
    """The decision raised something that is no rejection. It concerns this command alone."""

    error: Exception


Outcome = Answer | Postponed | Defect


@dataclass(frozen=True, slots=True)
class Batch:
    """One outcome for each command, and the shards that its events are in."""

    outcomes: list[Outcome]
    shards: AbstractSet[str]


@dataclass(slots=True)
class Decided:
    """What has been decided so far, by the commands' index in their batch.

    `copies` names, for a command, the earlier one with the same key whose answer it gets.
    """

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    events: list[NewEvent] = field(default_factory=list)
    copies: dict[int, int] = field(default_factory=dict)
    by_key: dict[tuple[str, str], int] = field(default_factory=dict)


async def decide_batch(
    connection: asyncpg.Connection,
    batch_id: UUID,
    commands: Sequence[PendingCommand],
    *,
    partitions: int,
    new_event_id: Callable[[], str],
) -> Batch:
    """Decides, and writes what follows. The caller owns the transaction, and must COMMIT at once.

    If the process dies before COMMIT nothing has happened; after it, everything has, the answers
    to idempotency keys included.
    """
    touched = [p.command.touches(p.message, p.context) for p in commands]
    claims = await claim(connection, commands, touched)
    stored = await recall(connection, commands)
    shop = await load(connection, touched)
    decided = Decided()
    for index, pending in enumerate(commands):
        emails = touched[index].emails
        outcome = _known(index, pending, claims, stored, decided)
        if outcome is None and not claims.emails.issuperset(emails):
            outcome = Postponed()
        if outcome is None and index not in decided.copies:
            outcome = _decide(index, pending, shop, decided, new_event_id)
        if outcome is not None:
            decided.outcomes[index] = outcome
    shards = await _write(connection, batch_id, shop, commands, decided, partitions)
    return Batch(_in_order(commands, decided), shards)


def _known(
    index: int,
    pending: PendingCommand,
    claims: Claims,
    stored: dict[tuple[str, str], Stored],
    decided: Decided,
) -> Outcome | None:
    """What the command's key says already: the key is held elsewhere, or answered before."""
    name = pending.name
    if name is None:
        return None
    if name in stored:
        return stored[name].answer_to(pending)
    if name not in claims.keys:
        return Rejected(KEY_IN_USE, "a request with this Idempotency-Key is being decided")
    first = decided.by_key.setdefault(name, index)
    if first != index:
        decided.copies[index] = first
    return None


def _decide(
    index: int,
    pending: PendingCommand,
    shop: Shop,
    decided: Decided,
    new_event_id: Callable[[], str],
) -> Outcome:
    context = pending.context
    try:
        events: list[Event] = pending.command.decide(pending.message, context, shop)
    except Rejection as rejection:
        return Rejected(rejection.reason, rejection.detail)
    except Exception as error:
        logger.error(
            "decision_failed",
            command=pending.command.name,
            error=type(error).__name__,
            where=traceback.format_tb(error.__traceback__)[-1],
        )
        return Defect(error)
    shop.apply(events)
    decided.events += [
        NewEvent(index, event, new_event_id(), context.caller, context.at, pending.traceparent)
        for event in events
    ]
    of_target = [event.version for event in events if event.id == context.id]
    return Accepted(context.id, max(of_target, default=_present_version(pending, shop)), token="")


def _present_version(pending: PendingCommand, shop: Shop) -> int:
    id = pending.context.id
    aggregate = shop.users.get(id) or shop.products.get(id) or shop.orders.get(id)
    return 0 if aggregate is None else aggregate.version


async def _write(
    connection: asyncpg.Connection,
    batch_id: UUID,
    shop: Shop,
    commands: Sequence[PendingCommand],
    decided: Decided,
    partitions: int,
) -> AbstractSet[str]:
    """The shards that events were appended to."""
    changed = {new.event.id for new in decided.events}
    if changed:
        await save(connection, shop, changed)
    erased = [new for new in decided.events if new.event.type == UserErased.type]
    if erased:
        await erase_personal_data(connection, [(e.event.id, e.actor) for e in erased])
    await _fill_in_heads(connection, commands, decided, partitions)
    to_remember = [
        (index, commands[index], outcome)
        for index in decided.by_key.values()
        if isinstance(outcome := decided.outcomes.get(index), Accepted | Rejected)
    ]
    if not (decided.events or to_remember):
        return frozenset()
    positions = await append(connection, batch_id, decided.events, to_remember, partitions)
    for index, of_command in positions.items():
        _give_token(decided, index, format_token(of_command))
    return {shard for of_command in positions.values() for shard in of_command}


async def _fill_in_heads(
    connection: asyncpg.Connection,
    commands: Sequence[PendingCommand],
    decided: Decided,
    partitions: int,
) -> None:
    """An accepted command without events answers for what was there before it."""
    with_events = {new.command for new in decided.events}
    shards = {
        index: shard_of(commands[index].command.topic, commands[index].context.id, partitions)
        for index, outcome in decided.outcomes.items()
        if isinstance(outcome, Accepted) and not outcome.token and index not in with_events
    }
    tokens = await head_tokens(connection, set(shards.values()))
    for index, shard in shards.items():
        _give_token(decided, index, tokens[shard])


def _give_token(decided: Decided, index: int, token: str) -> None:
    outcome = decided.outcomes[index]
    assert isinstance(outcome, Accepted)
    decided.outcomes[index] = outcome._replace(token=token)


def _in_order(commands: Sequence[PendingCommand], decided: Decided) -> list[Outcome]:
    for index, first in decided.copies.items():
        outcome = decided.outcomes[first]
        if isinstance(outcome, Accepted | Rejected):
            outcome = Stored(commands[first].request, outcome).answer_to(commands[index])
        decided.outcomes[index] = outcome
    return [decided.outcomes[index] for index in range(len(commands))]
