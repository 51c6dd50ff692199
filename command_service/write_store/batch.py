"""Decides a batch of commands in one transaction."""

import traceback
from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from uuid import UUID

import asyncpg
import structlog

from command_service.commands.command import RequiredState
from command_service.domain.rejection import Rejection
from command_service.domain.shop import Shop
from command_service.write_store.erasure import record_erasures, redact
from command_service.write_store.log_append import NewEvent, ResultToStore, append, head_tokens
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.reservations import Reservations, reserve
from command_service.write_store.results import (
    KEY_IN_USE,
    Accepted,
    CallerKey,
    Rejected,
    Result,
    StoredResult,
    load_stored_results,
)
from command_service.write_store.state import load, save, try_lock_shards
from shared.contracts.events import Event, UserErased
from shared.contracts.shards import shard_of
from shared.contracts.tokens import format_token

logger = structlog.get_logger(__name__)


class Postponed:
    """The command must wait for the next batch: another transaction holds an email it needs."""


class Blocked(Postponed):
    """Another transaction holds a row or a shard that the command needs."""


@dataclass(frozen=True, slots=True)
class Defect:
    """The decision raised an exception other than Rejection. It affects this command only."""

    error: Exception


Outcome = Result | Postponed | Defect


@dataclass(frozen=True, slots=True)
class Batch:
    """One outcome for each command, and the shards of the batch's events."""

    outcomes: list[Outcome]
    shards: AbstractSet[str]


@dataclass(slots=True)
class Decisions:
    """The decisions so far, by the commands' index in their batch.

    `duplicates` maps a command to an earlier one with the same key, whose result it shares.
    """

    outcomes: dict[int, Outcome] = field(default_factory=dict)
    events: list[NewEvent] = field(default_factory=list)
    duplicates: dict[int, int] = field(default_factory=dict)
    by_key: dict[CallerKey, int] = field(default_factory=dict)


async def decide_batch(
    connection: asyncpg.Connection,
    batch_id: UUID,
    commands: Sequence[PendingCommand],
    *,
    partitions: int,
    new_event_id: Callable[[], str],
    skip_locked: bool = False,
) -> Batch:
    """Decide the commands and write the events. The caller owns the transaction, and must COMMIT.

    A crash before COMMIT leaves no effect; after it, events and stored results are complete. With
    `skip_locked`, the batch waits for no lock: commands that need a locked row are Blocked.
    """
    required = [p.command.required_state(p.message, p.context) for p in commands]
    keys = [pending.caller_key for pending in commands]
    reservations = await reserve(connection, keys, required)
    stored = await load_stored_results(connection, keys)
    shop, blocked = await load(connection, required, skip_locked=skip_locked)
    if skip_locked:
        blocked |= await _commands_in_locked_shards(connection, commands, required, partitions)
    decisions = Decisions()
    for index, pending in enumerate(commands):
        outcome = _outcome_by_key(index, pending, reservations, stored, decisions)
        if outcome is None and not reservations.emails.issuperset(required[index].emails):
            outcome = Postponed()
        if outcome is None and index in blocked:
            outcome = Blocked()
        if outcome is None and index not in decisions.duplicates:
            outcome = _decide(index, pending, shop, decisions, new_event_id)
        if outcome is not None:
            decisions.outcomes[index] = outcome
    shards = await _write(connection, batch_id, shop, commands, decisions, partitions)
    return Batch(_in_order(commands, decisions), shards)


def _outcome_by_key(
    index: int,
    pending: PendingCommand,
    reservations: Reservations,
    stored: dict[CallerKey, StoredResult],
    decisions: Decisions,
) -> Outcome | None:
    """The outcome if the command's key has a result already, or is in use; else None."""
    key = pending.caller_key
    if key is None:
        return None
    if key in stored:
        return stored[key].replay(pending.request_hash)
    if key not in reservations.keys:
        return Rejected(KEY_IN_USE, "a request with this Idempotency-Key is being processed")
    first = decisions.by_key.setdefault(key, index)
    if first != index:
        decisions.duplicates[index] = first
    return None


def _decide(
    index: int,
    pending: PendingCommand,
    shop: Shop,
    decisions: Decisions,
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
            location=traceback.format_tb(error.__traceback__)[-1],
        )
        return Defect(error)
    shop.apply(events)
    decisions.events += [
        NewEvent(index, event, new_event_id(), context.caller, context.at, pending.traceparent)
        for event in events
    ]
    of_target = [event.version for event in events if event.id == context.id]
    return Accepted(context.id, max(of_target, default=_current_version(pending, shop)), token="")


def _current_version(pending: PendingCommand, shop: Shop) -> int:
    id = pending.context.id
    aggregate = shop.users.get(id) or shop.products.get(id) or shop.orders.get(id)
    return 0 if aggregate is None else aggregate.version


async def _write(
    connection: asyncpg.Connection,
    batch_id: UUID,
    shop: Shop,
    commands: Sequence[PendingCommand],
    decisions: Decisions,
    partitions: int,
) -> AbstractSet[str]:
    """Return the shards that events were appended to."""
    changed = {new.event.id for new in decisions.events}
    if changed:
        await save(connection, shop, changed)
    erased = [new for new in decisions.events if new.event.type == UserErased.type]
    if erased:
        await record_erasures(connection, [(e.event.id, e.actor) for e in erased])
    events = [_redact_if_erased(new, shop) for new in decisions.events]
    sources = _token_sources(commands, decisions)
    await _set_head_tokens(connection, commands, decisions, sources, partitions)
    results = [
        ResultToStore(sources.get(index, index), commands[index], outcome)
        for index in decisions.by_key.values()
        if isinstance(outcome := decisions.outcomes.get(index), Accepted | Rejected)
    ]
    if not (events or results):
        return frozenset()
    positions = await append(connection, batch_id, events, results, partitions)
    for index, of_command in positions.items():
        _set_token(decisions, index, format_token(of_command))
    for index, source in sources.items():
        _set_token(decisions, index, format_token(positions[source]))
    return {shard for of_command in positions.values() for shard in of_command}


def _redact_if_erased(new: NewEvent, shop: Shop) -> NewEvent:
    """The event as it may be stored: without personal data if its user is erased by now."""
    user, order = shop.users.get(new.event.id), shop.orders.get(new.event.id)
    erased = (user is not None and user.erased) or (order is not None and order.anonymized)
    return new._replace(event=redact(new.event)) if erased else new


def _token_sources(commands: Sequence[PendingCommand], decisions: Decisions) -> dict[int, int]:
    """For each accepted command without events: the last one before it that changed its aggregate.

    The version in its result is the one that the earlier command of the batch led to, so its token
    must cover that command's events. Commands whose aggregate the batch did not change are left
    out.
    """
    changed_by: dict[str, int] = {}
    sources: dict[int, int] = {}
    events = iter(decisions.events)
    event = next(events, None)
    for index in sorted(decisions.outcomes):
        with_events = False
        while event is not None and event.command <= index:
            changed_by[event.event.id] = event.command
            with_events |= event.command == index
            event = next(events, None)
        source = changed_by.get(commands[index].context.id)
        accepted = isinstance(outcome := decisions.outcomes[index], Accepted) and not outcome.token
        if source is not None and accepted and not with_events:
            sources[index] = source
    return sources


async def _commands_in_locked_shards(
    connection: asyncpg.Connection,
    commands: Sequence[PendingCommand],
    required: Sequence[RequiredState],
    partitions: int,
) -> set[int]:
    """The commands whose events may belong to a shard that another transaction has locked."""
    needed = [
        {
            shard_of(command.command.topic, command.context.id, partitions),
            *(shard_of("users", id, partitions) for id in state.users),
            *(shard_of("products", id, partitions) for id in state.products),
            *(shard_of("orders", id, partitions) for id in state.orders),
        }
        for command, state in zip(commands, required, strict=True)
    ]
    locked = await try_lock_shards(connection, set().union(*needed))
    return {index for index, shards in enumerate(needed) if not shards <= locked}


async def _set_head_tokens(
    connection: asyncpg.Connection,
    commands: Sequence[PendingCommand],
    decisions: Decisions,
    sources: Mapping[int, int],
    partitions: int,
) -> None:
    """The token of any other accepted command without events covers its shard so far."""
    with_events = {new.command for new in decisions.events} | sources.keys()
    shards = {
        index: shard_of(commands[index].command.topic, commands[index].context.id, partitions)
        for index, outcome in decisions.outcomes.items()
        if isinstance(outcome, Accepted) and not outcome.token and index not in with_events
    }
    tokens = await head_tokens(connection, set(shards.values()))
    for index, shard in shards.items():
        _set_token(decisions, index, tokens[shard])


def _set_token(decisions: Decisions, index: int, token: str) -> None:
    outcome = decisions.outcomes[index]
    assert isinstance(outcome, Accepted)
    decisions.outcomes[index] = outcome._replace(token=token)


def _in_order(commands: Sequence[PendingCommand], decisions: Decisions) -> list[Outcome]:
    for index, first in decisions.duplicates.items():
        outcome = decisions.outcomes[first]
        if isinstance(outcome, Accepted | Rejected):
            stored = StoredResult(commands[first].request_hash, outcome)
            outcome = stored.replay(commands[index].request_hash)
        decisions.outcomes[index] = outcome
    return [decisions.outcomes[index] for index in range(len(commands))]
