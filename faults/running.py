"""One scenario: a load, the nemesis, recovery, what is left, and the verdict."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import Final

from faults import collecting
from faults.auditor import judge
from faults.evidence import Evidence, Sample
from faults.history import Attempt, History
from faults.keeping import keep
from faults.load import Load
from faults.recovering import until_level
from faults.sampling import sample_memory
from faults.scenarios import Scenario
from faults.shelf import Shelf
from faults.world import World
from shared.contracts.tokens import format_token

WRITERS: Final = 6
READERS: Final = 3
_BEFORE: Final = 2.0
Say = Callable[[str], None]


@dataclass
class Result:
    """What a scenario showed. `skipped` says why it was not run."""

    scenario: Scenario
    findings: dict[str, list[str]] = field(default_factory=dict)
    figures: dict[str, float | str] = field(default_factory=dict)
    skipped: str | None = None

    @property
    def failed(self) -> bool:
        return any(self.findings.values())


class Stage:
    """A world that one scenario after the other is played in, with what was done there before."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.history = History(world.directory / "history.jsonl")
        self.shelf = Shelf()

    async def play(
        self, scenario: Scenario, seed: int, seconds: float, directory: Path, say: Say
    ) -> Result:
        """What is judged is what happened meanwhile; the log is judged from its start."""
        before = _Before(len(self.history.attempts), self.world.kills, len(self.world.ended))
        samples: list[Sample] = []
        load = self._load(scenario, seed)
        sampling = asyncio.create_task(sample_memory(self.world, samples))
        telling = asyncio.create_task(self._tell(before, say))
        load.start(WRITERS, READERS)
        await asyncio.sleep(_BEFORE)
        self.world.note(f"{scenario.name} begins")
        await scenario.nemesis(self.world, Random(f"{seed}/{scenario.name}"), seconds)
        self.world.note(f"{scenario.name} is over")
        took = await until_level(self.world, load, scenario.limits.recovery)
        telling.cancel()
        asked = len(self.history.attempts)
        await load.read_everything(await self._whole_token())
        await load.close()
        sampling.cancel()
        evidence = await self._evidence(scenario, before, asked, samples, took)
        findings = await asyncio.to_thread(judge, evidence)
        keep(directory, evidence, findings)
        kills = self.world.kills - before.kills
        result = Result(scenario, findings, _figures(evidence, kills))
        say(f"{'FAILED' if result.failed else 'held'}: {result.figures}")
        return result

    def _load(self, scenario: Scenario, seed: int) -> Load:
        return Load(
            self.world.identity,
            lambda: self.world.url_of("command-service"),
            lambda: self.world.url_of("query-service"),
            self.history,
            self.shelf,
            self.world.clock,
            f"{scenario.name}-{seed}",
        )

    async def _whole_token(self) -> str:
        heads = await collecting.heads(self.world)
        return format_token({shard: head for shard, head in heads.items() if head})

    async def _evidence(
        self,
        scenario: Scenario,
        before: "_Before",
        asked: int,
        samples: list[Sample],
        took: float | None,
    ) -> Evidence:
        attempts = self.history.attempts
        void_before = self.world.void_before
        void = {a.caller for a in attempts if a.part == "commands" and a.at < void_before}

        def valid(some: list[Attempt]) -> list[Attempt]:
            return [a for a in some if a.at >= void_before and a.caller not in void]

        log, state = await collecting.log_and_state(self.world)
        return Evidence(
            earlier=valid(attempts[: before.attempts]),
            attempts=valid(attempts[before.attempts : asked]),
            void=frozenset(void),
            final=attempts[asked:],
            log=log,
            state=state,
            topics=await collecting.topics(self.world),
            views=await collecting.views(self.world),
            limits=scenario.limits,
            samples=samples,
            seconds=took,
            ended=self.world.ended[before.ended :],
        )

    async def _tell(self, before: "_Before", say: Say) -> None:
        """A line every few seconds."""
        began = self.world.clock()
        while True:
            await asyncio.sleep(5)
            counts = Counter(a.outcome for a in self.history.attempts[before.attempts :])
            say(
                f"{self.world.clock() - began:5.0f} s: {counts['ok']} ok, "
                f"{counts['refused']} refused, {counts['unknown']} unknown, "
                f"{self.world.kills - before.kills} kills"
            )


@dataclass(frozen=True, slots=True)
class _Before:
    """What there was when the scenario began."""

    attempts: int
    kills: int
    ended: int


def _figures(evidence: Evidence, kills: int) -> dict[str, float | str]:
    attempts = evidence.attempts
    commands = {a.caller for a in attempts if a.part == "commands"}
    return {
        "operations": len(commands),
        "reads": sum(a.part == "reads" for a in attempts),
        "unknown": sum(a.part == "commands" and a.outcome == "unknown" for a in attempts),
        "events": len(evidence.records),
        "kills": kills,
        "recovery": "never" if evidence.seconds is None else round(evidence.seconds, 1),
        "rss_mb": round(max((s.rss_mb for s in evidence.samples), default=0)),
    }
