"""Stops a stack and keeps its data."""

from deploy.local.home import Home
from deploy.local.startup import stop_all
from deploy.local.supervision import Supervision


def down(home: Home) -> bool:
    """Returns when all processes have stopped: True if there were any."""
    supervision = Supervision(home)
    if not supervision.is_running:
        return False
    stop_all(supervision)
    return True
