"""`python -m query_service`. Settings come from the environment."""

import sys

from query_service.main import run as run_service
from query_service.settings import QuerySettings
from shared.http.jwks import JwksUnreadable
from shared.http.server import CannotListen, run, stop_on_signals
from shared.logging_setup import configure_logging
from shared.settings import load_settings

_NAME = "query-service"


def main() -> None:
    """Run until SIGTERM or SIGINT. Errors at the start are reported in one line."""
    settings = load_settings(QuerySettings)
    configure_logging(_NAME, settings.log_level, settings.log_format)

    async def until_stopped() -> None:
        await run_service(settings, stop_on_signals())

    try:
        run(until_stopped())
    except* (CannotListen, JwksUnreadable) as group:
        sys.exit(f"{_NAME}: {group.exceptions[0]}")


if __name__ == "__main__":
    main()
