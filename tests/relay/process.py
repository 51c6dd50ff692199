"""A relay in a process without HTTP."""

from prometheus_client import CollectorRegistry

from command_service.relay.main import run
from command_service.relay.settings import RelaySettings
from shared.http.health import Health
from shared.http.server import run as run_loop
from shared.http.server import stop_on_signals
from shared.logging_setup import configure_logging


async def main() -> None:
    await run(RelaySettings(), stop_on_signals(), Health(), CollectorRegistry())


if __name__ == "__main__":
    configure_logging("relay", "WARNING", "json")
    run_loop(main())
