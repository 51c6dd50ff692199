"""`python -m projector run`. Settings come from the environment."""

import argparse
import sys

from projector.settings import ProjectorSettings
from shared.http.server import CannotListen, stop_on_signals
from shared.http.server import run as run_on_uvloop
from shared.logging_setup import configure_logging
from shared.settings import load_settings


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m projector", description=__doc__)
    parser.add_argument("command", choices=COMMANDS)
    COMMANDS[parser.parse_args().command]()


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


COMMANDS = {"run": run}


if __name__ == "__main__":
    main()
