"""Stops a stack; its data stays."""

from deploy.local.home import Home
from deploy.local.startup import stop_all
from deploy.local.supervision import Supervision


def down(home: Home) -> bool:
    """Returns when no process is left. Whether there was anything to stop."""
    supervision = Supervision(home)
    if not supervision.is_running:
        return False
    stop_all(supervision)
    return True
