"""Makes .venv and installs the locked requirements, only when a lock file changed.

Uses the standard library alone, since nothing else is there yet. A crash leaves .venv without its
stamp, and the next run completes it.
"""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "tandem-requirements"
LOCKS = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
LOCKED = ("--require-hashes", "-r", str(LOCKS[-1]))
NEEDED_BYTES = 1_500_000_000

NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|Connection(Reset)?Error"
    r"|ProxyError|SSLError|Network is unreachable"
)


def main() -> None:
    wanted = fingerprint()
    if is_complete(wanted):
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete(wanted):
            check_disk()
            make_venv()
            install(wanted)
            STAMP.write_text(wanted)


def fingerprint() -> str:
    digest = hashlib.sha256()
    for lock in LOCKS:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def is_complete(wanted: str) -> bool:
    # os.access follows the link, so a Python that was removed since makes .venv anew.
    return (
        os.access(VENV_PYTHON, os.X_OK) and STAMP.is_file() and STAMP.read_text().strip() == wanted
    )


def check_disk() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < NEEDED_BYTES:
        fail(
            f"{free // 1_000_000} MB are free at {ROOT}, setting up needs "
            f"{NEEDED_BYTES // 1_000_000} MB; free some space and run it again"
        )


def make_venv() -> None:
    if os.access(VENV / "bin" / "pip", os.X_OK) and os.access(VENV_PYTHON, os.X_OK):
        return
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        fail_without_venv()
    say(f"making .venv with Python {sys.version.split()[0]}")
    made = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True
    )
    if made.returncode == 0:
        return
    if "ensurepip" in made.stdout + made.stderr:
        fail_without_venv()
    fail(f"cannot make .venv: {last_line(made.stderr or made.stdout)}")


def fail_without_venv() -> NoReturn:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    fail(
        f"{sys.executable} cannot make virtual environments (venv or ensurepip is missing); "
        f"install it (Debian and Ubuntu: apt install python{version}-venv), or name another "
        "Python: make PYTHON=/path/to/python3"
    )


def install(wanted: str) -> None:
    STAMP.unlink(missing_ok=True)
    wheels = cache_dir() / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    fetch(wheels, wanted)
    say("packages: unpacking them into .venv, about half a minute")
    command = ["install", "--no-index", "--find-links", str(wheels), "--no-compile"]
    run_pip([*command, *LOCKED])


def fetch(wheels: Path, wanted: str) -> None:
    """Into a directory that all clones share: the next one needs no network."""
    have_all = wheels / f"complete-{wanted[:16]}-{sys.implementation.cache_tag}"
    with (wheels / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not have_all.exists():
            command = ["download", "--only-binary", ":all:", "-d", str(wheels)]
            run_pip([*command, *LOCKED], Progress(locked_packages()).show)
            have_all.touch()


def run_pip(arguments: list[str], progress: Callable[[str], None] = lambda line: None) -> None:
    output = ""
    command = [str(VENV_PYTHON), "-m", "pip", *arguments]
    environment = os.environ | {
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "PIP_PROGRESS_BAR": "off",
        "PIP_RETRIES": "2",
        "PIP_NO_INPUT": "1",
    }
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    ) as pip:
        assert pip.stdout
        for line in pip.stdout:
            output += line
            progress(line)
    if pip.returncode:
        fail(reason(output))


def locked_packages() -> int:
    return len(re.findall(r"^[\w.-]+==", LOCKS[-1].read_text(), re.MULTILINE))


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tandem"


class Progress:
    """Turns pip's output into a line now and then: every tenth package, every large file."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.seen = 0

    def show(self, line: str) -> None:
        if line.startswith("Collecting "):
            self.seen += 1
            if self.seen % 10 == 0:
                say(f"packages: {self.seen} of about {self.total}")
        elif fetched := re.search(r"Downloading (\S+) \((\d{2,}\.?\d* MB)\)", line):
            say(f"packages: fetching {fetched[1].rsplit('/', 1)[-1]}, {fetched[2]}")


def reason(output: str) -> str:
    """One line for what pip said in hundreds."""
    if "No space left" in output:
        return f"the disk of {VENV} or of {cache_dir()} is full; free some space and run it again"
    if NO_NETWORK.search(output):
        return (
            "cannot reach the Python package index; check the network (or HTTPS_PROXY) "
            "and run it again, what was fetched is kept"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return f"pip could not install the packages: {errors[0] if errors else last_line(output)}"


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no reason given"


def say(text: str) -> None:
    print(f"tandem: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    raise SystemExit(f"tandem: {text}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("stopped; run it again to go on")
    except OSError as error:
        fail(f"cannot set up .venv: {error}")
