"""Runs one scenario: the load, the nemesis, the recovery, and the auditor."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Final

from faults import server_data
from faults.artifacts import store_artifacts
from faults.auditor import judge
from faults.evidence import Evidence, MemorySample
from faults.history import Attempt, History
from faults.load import Load
from faults.memory_sampler import sample_memory
from faults.recovery import wait_recovered
from faults.scenarios import Scenario
from faults.shop_model import ShopModel
from faults.system import SystemUnderTest
from shared.contracts.tokens import format_token

WRITERS: Final = 6
READERS: Final = 3
_WARM_UP_S: Final = 2.0
Report = Callable[[str], None]


@dataclass
class ScenarioResult:
    """The findings by property, and figures. `skipped` is the reason why it did not run."""

    scenario: Scenario
    findings: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, float | str] = field(default_factory=dict)
    skipped: str | None = None

    @property
    def failed(self) -> bool:
        return any(self.findings.values())


class Stage:
    """A system for several scenarios, with their common history and shop."""

    def __init__(self, system: SystemUnderTest) -> None:
        self.system = system
        self.history = History(system.directory / "history.jsonl")
        self.shop = ShopModel()

    async def run(
        self, scenario: Scenario, seed: int, seconds: float, directory: Path, report: Report
    ) -> ScenarioResult:
        """Audits the attempts of this scenario, and the complete event log."""
        exits = len(self.system.unexpected_exits)
        start = _Start(len(self.history.attempts), self.system.kills, exits)
        samples: list[MemorySample] = []
        load = self._load(scenario, seed)
        sampling = asyncio.create_task(sample_memory(self.system, samples))
        reporting = asyncio.create_task(self._report_progress(start, report))
        load.start(WRITERS, READERS)
        await asyncio.sleep(_WARM_UP_S)
        self.system.note(f"{scenario.name} begins")
        await scenario.nemesis(self.system, Random(f"{seed}/{scenario.name}"), seconds)
        self.system.note(f"{scenario.name} is over")
        fault_ended_at = datetime.now(UTC)
        recovery_s = await wait_recovered(self.system, load, scenario.limits.recovery_s)
        reporting.cancel()
        attempts = len(self.history.attempts)
        await load.read_all(await self._token_of_event_log())
        await load.close()
        sampling.cancel()
        evidence = await self._evidence(
            scenario, start, attempts, samples, recovery_s, fault_ended_at
        )
        findings = await asyncio.to_thread(judge, evidence)
        store_artifacts(directory, evidence, findings)
        kills = self.system.kills - start.kills
        result = ScenarioResult(scenario, findings, _figures(evidence, kills))
        report(f"{'FAILED' if result.failed else 'held'}: {result.figures}")
        return result

    def _load(self, scenario: Scenario, seed: int) -> Load:
        return Load(
            self.system.identity,
            lambda: self.system.url_of("command-service"),
            lambda: self.system.url_of("query-service"),
            self.history,
            self.shop,
            self.system.clock,
            f"{scenario.name}-{seed}",
            scenario.pay_within,
        )

    async def _token_of_event_log(self) -> str:
        heads = await server_data.heads(self.system)
        return format_token({shard: head for shard, head in heads.items() if head})

    async def _evidence(
        self,
        scenario: Scenario,
        start: "_Start",
        end: int,
        samples: list[MemorySample],
        recovery_s: float | None,
        fault_ended_at: datetime,
    ) -> Evidence:
        attempts = self.history.attempts
        valid_from = self.system.valid_from
        void = {a.caller for a in attempts if a.side == "commands" and a.at < valid_from}

        def valid(some: list[Attempt]) -> list[Attempt]:
            return [a for a in some if a.at >= valid_from and a.caller not in void]

        audited_at = datetime.now(UTC)
        event_log, rows = await server_data.event_log_and_rows(self.system)
        return Evidence(
            earlier=valid(attempts[: start.attempts]),
            attempts=valid(attempts[start.attempts : end]),
            void_callers=frozenset(void),
            final=attempts[end:],
            event_log=event_log,
            rows=rows,
            topics=await server_data.topics(self.system),
            views=await server_data.views(self.system),
            texts=await server_data.texts(self.system),
            limits=scenario.limits,
            samples=samples,
            recovery_s=recovery_s,
            fault_ended_at=fault_ended_at,
            audited_at=audited_at,
            unexpected_exits=self.system.unexpected_exits[start.unexpected_exits :],
        )

    async def _report_progress(self, start: "_Start", report: Report) -> None:
        """A line every 5 seconds."""
        began = self.system.clock()
        while True:
            await asyncio.sleep(5)
            counts = Counter(a.outcome for a in self.history.attempts[start.attempts :])
            report(
                f"{self.system.clock() - began:5.0f} s: {counts['ok']} ok, "
                f"{counts['rejected']} rejected, {counts['unknown']} unknown, "
                f"{self.system.kills - start.kills} kills"
            )


@dataclass(frozen=True, slots=True)
class _Start:
    """The counts at the start of the scenario."""

    attempts: int
    kills: int
    unexpected_exits: int


def _figures(evidence: Evidence, kills: int) -> dict[str, float | str]:
    attempts = evidence.attempts
    commands = {a.caller for a in attempts if a.side == "commands"}
    return {
        "operations": len(commands),
        "reads": sum(a.side == "reads" for a in attempts),
        "unknown": sum(a.side == "commands" and a.outcome == "unknown" for a in attempts),
        "events": len(evidence.records),
        "kills": kills,
        "recovery_s": "never" if evidence.recovery_s is None else round(evidence.recovery_s, 1),
        "rss_mb": round(max((s.rss_mb for s in evidence.samples), default=0)),
    }
