"""Commands that end together with the process that started them, if the system supports it."""

import functools
import shutil
import signal
import subprocess


def with_parent_death_signal(command: list[str], number: signal.Signals) -> list[str]:
    """The command, prefixed so that it gets the signal when its parent dies; on Linux only."""
    if not has_parent_death_signal():
        return command
    if command[0].endswith("setpriv"):
        return [command[0], "--pdeathsig", number.name.removeprefix("SIG"), *command[1:]]
    return [*_setpriv(), "--pdeathsig", number.name.removeprefix("SIG"), "--", *command]


@functools.cache
def has_parent_death_signal() -> bool:
    setpriv = _setpriv()
    if not setpriv:
        return False
    # Tried, because the setpriv of BusyBox lacks the option.
    tried = subprocess.run([*setpriv, "--pdeathsig", "TERM", "--", "true"], capture_output=True)
    return tried.returncode == 0


def _setpriv() -> list[str]:
    found = shutil.which("setpriv")
    return [found] if found else []
