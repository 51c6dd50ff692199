"""Creates .venv and installs the locked requirements if a lock file has changed.

Uses the standard library only. A crash leaves .venv without its stamp; the next run completes it.
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
REQUIRED_BYTES = 1_500_000_000

NO_NETWORK = re.compile(
    r"NewConnectionError|ConnectTimeout|ReadTimeout|NameResolutionError|Connection(Reset)?Error"
    r"|ProxyError|SSLError|Network is unreachable"
)


def main() -> None:
    digest = locks_digest()
    if is_complete(digest):
        return
    with (ROOT / ".venv.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not is_complete(digest):
            check_disk()
            create_venv()
            install(digest)
            STAMP.write_text(digest)


def locks_digest() -> str:
    digest = hashlib.sha256()
    for lock in LOCKS:
        digest.update(lock.read_bytes())
    return digest.hexdigest()


def is_complete(digest: str) -> bool:
    # os.access follows the link: .venv is recreated if its Python was removed.
    return (
        os.access(VENV_PYTHON, os.X_OK) and STAMP.is_file() and STAMP.read_text().strip() == digest
    )


def check_disk() -> None:
    free = shutil.disk_usage(ROOT).free
    if free < REQUIRED_BYTES:
        fail(
            f"{free // 1_000_000} MB are free at {ROOT}, the installation needs "
            f"{REQUIRED_BYTES // 1_000_000} MB; free some space and retry"
        )


def create_venv() -> None:
    if os.access(VENV / "bin" / "pip", os.X_OK) and os.access(VENV_PYTHON, os.X_OK):
        return
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        fail_without_venv()
    report(f"creating .venv with Python {sys.version.split()[0]}")
    done = subprocess.run(
        [sys.executable, "-m", "venv", "--clear", VENV], capture_output=True, text=True
    )
    if done.returncode == 0:
        return
    if "ensurepip" in done.stdout + done.stderr:
        fail_without_venv()
    fail(f"cannot create .venv: {last_line(done.stderr or done.stdout)}")


def fail_without_venv() -> NoReturn:
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    fail(
        f"{sys.executable} cannot create virtual environments (venv or ensurepip is missing); "
        f"install it (Debian and Ubuntu: apt install python{version}-venv), or name another "
        "Python: make PYTHON=/path/to/python3"
    )


def install(digest: str) -> None:
    STAMP.unlink(missing_ok=True)
    wheels = cache_dir() / "wheels"
    wheels.mkdir(parents=True, exist_ok=True)
    download(wheels, digest)
    report("packages: installing into .venv, about half a minute")
    command = ["install", "--no-index", "--find-links", str(wheels), "--no-compile"]
    run_pip([*command, *LOCKED])


def download(wheels: Path, digest: str) -> None:
    """To a directory that all clones share: the next clone needs no network."""
    complete = wheels / f"complete-{digest[:16]}-{sys.implementation.cache_tag}"
    with (wheels / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            command = ["download", "--only-binary", ":all:", "-d", str(wheels)]
            run_pip([*command, *LOCKED], Progress(count_locked_packages()).report_line)
            complete.touch()


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


def count_locked_packages() -> int:
    return len(re.findall(r"^[\w.-]+==", LOCKS[-1].read_text(), re.MULTILINE))


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tandem"


class Progress:
    """Summarizes pip's output: one line per ten packages and per large file."""

    def __init__(self, total: int) -> None:
        self.total = total
        self.collected = 0

    def report_line(self, line: str) -> None:
        if line.startswith("Collecting "):
            self.collected += 1
            if self.collected % 10 == 0:
                report(f"packages: {self.collected} of about {self.total}")
        elif download := re.search(r"Downloading (\S+) \((\d{2,}\.?\d* MB)\)", line):
            report(f"packages: downloading {download[1].rsplit('/', 1)[-1]}, {download[2]}")


def reason(output: str) -> str:
    """The cause of a failure, from pip's output, in one line."""
    if "No space left" in output:
        return f"the disk of {VENV} or of {cache_dir()} is full; free some space and retry"
    if NO_NETWORK.search(output):
        return (
            "cannot reach the Python package index; check the network (or HTTPS_PROXY) "
            "and retry; downloaded packages are kept"
        )
    errors = [line for line in output.splitlines() if line.startswith("ERROR:")]
    return f"pip could not install the packages: {errors[0] if errors else last_line(output)}"


def last_line(text: str) -> str:
    lines = text.strip().splitlines()
    return lines[-1] if lines else "no output"


def report(text: str) -> None:
    print(f"tandem: {text}", file=sys.stderr, flush=True)


def fail(text: str) -> NoReturn:
    raise SystemExit(f"tandem: {text}")


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        fail("stopped; the next run continues")
    except OSError as error:
        fail(f"cannot set up .venv: {error}")
