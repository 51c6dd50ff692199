"""`python -m projector run`, and the commands for the views of a running system.

Settings come from the environment.
"""

import argparse
import asyncio
import sys
from collections.abc import Awaitable, Callable, Sequence

import asyncpg

from projector.commands import audit, dead_letters, generations
from projector.commands.context import CommandContext, UsageError, open_context
from projector.commands.output import UNAVAILABLE, Output
from projector.settings import CommandSettings, ProjectorSettings
from shared.event_log import LogDivergence
from shared.http.server import CannotListen, stop_on_signals
from shared.http.server import run as run_on_uvloop
from shared.logging_setup import configure_logging, describe_error
from shared.redis.clients import REDIS_ERRORS
from shared.settings import load_settings

_USAGE_ERROR = 2
_INTERRUPTED = 130
_ERRORS = (*REDIS_ERRORS, OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError)
_STATUSES = (
    "exit status: 0 done, 1 rejected or different, 2 usage error, 3 a server is unavailable. "
    "Every command can be interrupted at any time and repeated."
)

Command = Callable[[CommandContext, argparse.Namespace], Awaitable[int]]


def main(arguments: Sequence[str] | None = None) -> None:
    parsed = _parser().parse_args(arguments)
    if parsed.command is None:
        run()
    else:
        sys.exit(run_command(parsed.command, parsed))


def run() -> None:
    """Runs until SIGTERM or SIGINT. Reports in one line why it cannot start."""
    from projector.main import run as run_projector

    settings = load_settings(ProjectorSettings)
    configure_logging("projector", settings.log_level, settings.log_format)

    async def until_stopped() -> None:
        await run_projector(settings, stop_on_signals())

    try:
        run_on_uvloop(until_stopped())
    except* CannotListen as group:
        sys.exit(f"projector: {group.exceptions[0]}")


def run_command(command: Command, parsed: argparse.Namespace) -> int:
    """Runs one of the other commands. Returns its exit status."""
    settings = load_settings(CommandSettings)
    configure_logging("projector", "ERROR", settings.log_format)

    async def execute() -> int:
        async with open_context(settings, Output(json=parsed.json)) as context:
            return await command(context, parsed)

    try:
        return asyncio.run(execute())
    except KeyboardInterrupt:
        return _INTERRUPTED
    except UsageError as error:
        print(f"projector: {error}", file=sys.stderr)
        return _USAGE_ERROR
    except (*_ERRORS, LogDivergence) as error:
        print(f"projector: {describe_error(error)}", file=sys.stderr)
        return UNAVAILABLE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m projector", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    commands.add_parser("run", help="fold events until SIGTERM").set_defaults(command=None)
    _add_generations(commands)
    _add_dead_letters(commands)
    auditing = _add(commands, "audit", "compare the live views with the event log", _audit)
    auditing.add_argument("shards", nargs="*", metavar="SHARD", help="default: all shards")
    auditing.add_argument(
        "--rate", type=_positive, default=500, metavar="N", help="rows per second (default: 500)"
    )
    auditing.add_argument("--repair", action="store_true", help="rewrite what is damaged")
    auditing.add_argument("--continuous", action="store_true", help="repeat until interrupted")
    return parser


def _add_generations(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    listing = _add(commands, "generations", "list the generations of the views", _list_generations)
    building = _add(commands, "rebuild", "build, verify and cut over new generations", _rebuild)
    rolling = _add(commands, "rollback", "make the kept generations live again", _rollback)
    dropping = _add(commands, "drop", "drop the generations that are not live", _drop)
    for parser in (listing, building, rolling, dropping):
        parser.add_argument("shards", nargs="*", metavar="SHARD", help="default: all shards")
    building.add_argument(
        "--at-once", type=_positive, default=1, metavar="N", help="shards at a time"
    )
    building.add_argument("--shape", type=_positive, metavar="N", help="default: the newest")
    building.add_argument(
        "--verify",
        type=_sample,
        default=1000,
        metavar="N|all",
        help="aggregates to replay per shard (default: 1000)",
    )
    building.add_argument("--again", action="store_true", help="replace a kept generation")
    building.add_argument(
        "--accept-parked", action="store_true", help="even if it has more parked aggregates"
    )
    building.add_argument("--no-switch", action="store_true", help="build and verify only")
    rolling.add_argument("--forward", action="store_true", help="revert a rollback")


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError(text)
    return number


def _sample(text: str) -> int | None:
    return None if text == "all" else _positive(text)


def _add_dead_letters(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    parent = commands.add_parser("dead-letters", help="list, explain and retry parked events")
    actions = parent.add_subparsers(required=True, metavar="ACTION")
    listing = _add(actions, "list", "list the parked aggregates", _list_parked)
    listing.add_argument("shards", nargs="*", metavar="SHARD")
    show = _add(actions, "show", "show the parked events of an aggregate", _show)
    show.add_argument("id", metavar="ID")
    retry = _add(actions, "retry", "fold parked events again", _retry)
    retry.add_argument("ids", nargs="*", metavar="ID")
    retry.add_argument("--all", action="store_true", help="retry all parked aggregates")


def _add(
    commands: "argparse._SubParsersAction[argparse.ArgumentParser]",
    name: str,
    help: str,
    command: Command,
) -> argparse.ArgumentParser:
    parser = commands.add_parser(name, help=help, description=help, epilog=_STATUSES)
    parser.add_argument("--json", action="store_true", help="print one JSON object per line")
    parser.set_defaults(command=command)
    return parser


async def _list_generations(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await generations.list_generations(context, parsed.shards)


async def _rebuild(context: CommandContext, parsed: argparse.Namespace) -> int:
    options = generations.RebuildOptions(
        at_once=parsed.at_once,
        shape=parsed.shape,
        sample=parsed.verify,
        again=parsed.again,
        accept_parked=parsed.accept_parked,
        switch=not parsed.no_switch,
    )
    return await generations.rebuild(context, parsed.shards, options)


async def _rollback(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await generations.rollback(context, parsed.shards, forward=parsed.forward)


async def _drop(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await generations.drop(context, parsed.shards)


async def _audit(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await audit.audit(
        context,
        parsed.shards,
        rate=parsed.rate,
        repair=parsed.repair,
        continuous=parsed.continuous,
    )


async def _list_parked(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await dead_letters.list_parked(context, parsed.shards)


async def _show(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await dead_letters.show(context, parsed.id)


async def _retry(context: CommandContext, parsed: argparse.Namespace) -> int:
    return await dead_letters.retry(context, parsed.ids, all=parsed.all)


if __name__ == "__main__":
    main()
