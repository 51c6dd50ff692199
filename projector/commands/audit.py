"""`audit`: compares the live views with the event log."""

import asyncio
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack

from prometheus_client import CollectorRegistry, Gauge, start_http_server

from projector.audit import MAX_REPAIRS, Audit, Rate
from projector.commands.context import CommandContext
from projector.commands.output import DONE, REJECTED
from projector.inspection import Finding

_RETRY_S = 10.0


class _AuditMetrics:
    """Of a continuous audit."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.compared = Gauge(
            "tandem_audit_aggregates_compared",
            "Aggregates compared in the last complete pass",
            registry=registry,
        )
        # Alert on any.
        self.differences = Gauge(
            "tandem_audit_differences",
            "Differences that the last complete pass found and did not repair",
            registry=registry,
        )
        # Alert if it is older than a day.
        self.completed = Gauge(
            "tandem_audit_last_complete_timestamp_seconds",
            "When the last complete pass ended",
            registry=registry,
        )


async def audit(
    context: CommandContext,
    shards: Sequence[str],
    *,
    rate: float,
    repair: bool,
    continuous: bool,
) -> int:
    """One pass over these shards, or passes until the process is interrupted."""
    names = context.shards(shards)
    if not continuous:
        return (await _pass(context, names, Rate(rate), repair))[0]
    registry = CollectorRegistry()
    metrics = _AuditMetrics(registry)
    async with AsyncExitStack() as stack:
        server, thread = start_http_server(
            context.settings.port, context.settings.host, registry=registry
        )
        stack.callback(thread.join)
        stack.callback(server.shutdown)
        while True:
            try:
                _, compared, remaining = await _pass(context, names, Rate(rate), repair)
            except Exception as error:
                context.output.line(
                    f"audit interrupted: {type(error).__name__}", error=type(error).__name__
                )
                await asyncio.sleep(_RETRY_S)
                continue
            metrics.compared.set(compared)
            metrics.differences.set(remaining)
            metrics.completed.set(time.time())
            await asyncio.sleep(1)


async def _pass(
    context: CommandContext, shards: Sequence[str], rate: Rate, repair: bool
) -> tuple[int, int, int]:
    """Exit status, aggregates compared, and differences that remain."""
    compared: dict[str, int] = {}
    differences = repaired = 0
    for shard in shards:

        def report(finding: Finding, shard: str = shard) -> None:
            text = ", ".join(finding.differences)
            hint = "" if repair or not finding.id else "   (to repair: --repair)"
            context.output.line(
                f"{shard}  {finding.id or '-'}  {text}{hint}",
                shard=shard,
                aggregate=finding.id or None,
                differences=finding.differences,
            )

        result = await Audit(
            shard, context.shapes(shard), context.store, context.log, context.metrics, rate
        ).run(repair=repair, report=report)
        if result is None:
            context.output.line(f"{shard}  has no views", shard=shard, error="no views")
            differences += 1
            continue
        topic = shard.partition(".")[0]
        compared[topic] = compared.get(topic, 0) + result.compared
        differences += len(result.findings) + result.part_differs
        repaired += result.repaired
        if result.part_differs or len(result.findings) > MAX_REPAIRS:
            command = f"python -m projector rebuild {shard} --again"
            context.output.line(f"{shard}  to repair: {command}", shard=shard, command=command)
    counts = ", ".join(f"{topic} {count:,}" for topic, count in compared.items())
    context.output.line(
        f"compared: {counts}; {differences} differences, {repaired} repaired",
        compared=compared,
        differences=differences,
        repaired=repaired,
    )
    remaining = differences - repaired
    return (REJECTED if remaining else DONE), sum(compared.values()), remaining
