"""The commands that a process sends."""

from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from prometheus_client import CollectorRegistry

from command_service.executor import Executor
from command_service.metrics import Metrics
from command_service.process_runner import ProcessRunner
from command_service.write_store.pending_command import PendingCommand
from command_service.write_store.pool import Pool
from command_service.write_store.results import Result

DUE_AT = datetime(2026, 3, 1, 9, 30, tzinfo=UTC)


class _Pool:
    async def fetch(self, query: str, *args: object) -> list[dict[str, Any]]:
        return [{"process": "payment-deadline", "subject": "o", "version": 3, "due_at": DUE_AT}]


class _Executor:
    def __init__(self) -> None:
        self.commands: list[PendingCommand] = []

    async def execute(self, command: PendingCommand) -> Result:
        self.commands.append(command)
        raise RuntimeError("not executed")


@pytest.mark.parametrize("offset_s", [-0.05, 0.05])
async def test_no_command_has_a_time_before_its_deadline(offset_s: float) -> None:
    executor, now = _Executor(), DUE_AT + timedelta(seconds=offset_s)
    runner = ProcessRunner(
        cast(Pool, _Pool()),
        cast(Executor, executor),
        Metrics(CollectorRegistry()),
        lambda: now,
    )
    await runner.step()
    (command,) = executor.commands
    assert command.context.at == max(now, DUE_AT)
    assert (command.context.caller, command.context.if_match) == ("tandem:payment-deadline", 3)
