"""Kafka's jars: downloaded once, by version and checksum from kafka-jars.txt.

They are stored outside the clone and shared by all clones. A jar is used only if its checksum
matches the lock file; a crash during a download leaves only complete jars.
"""

import fcntl
import hashlib
import logging
import os
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from deploy.local.errors import StackError

LOCK = Path(__file__).parents[1] / "kafka-jars.txt"
MAX_CONCURRENT_DOWNLOADS = 4


@dataclass(frozen=True, slots=True)
class Jar:
    """One line of the lock file."""

    group: str
    artifact: str
    version: str
    sha256: str

    @property
    def file_name(self) -> str:
        return f"{self.artifact}-{self.version}.jar"


def cache_dir() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "tandem"


def locked_jars(lock: Path = LOCK) -> list[Jar]:
    lines = [line.split() for line in lock.read_text().splitlines()]
    pairs = [line for line in lines if line and line[0] != "#"]
    return [Jar(*f"{coordinates}:{digest}".split(":")) for coordinates, digest in pairs]


def kafka_jars(lock: Path = LOCK, cache: Path | None = None) -> list[Path]:
    """The paths of the verified jars, in the lock file's order; downloads missing ones."""
    jars = locked_jars(lock)
    directory = (cache or cache_dir()) / "jars"
    directory.mkdir(parents=True, exist_ok=True)
    if any(not is_intact(jar, directory) for jar in jars):
        with exclusive(directory):
            fetch([jar for jar in jars if not is_intact(jar, directory)], directory)
    return [directory / jar.file_name for jar in jars]


def is_intact(jar: Jar, directory: Path) -> bool:
    path = directory / jar.file_name
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == jar.sha256


def fetch(jars: list[Jar], directory: Path) -> None:
    logging.getLogger("jgo").setLevel(logging.ERROR)
    with (
        tempfile.TemporaryDirectory(dir=directory) as work,
        ThreadPoolExecutor(MAX_CONCURRENT_DOWNLOADS) as pool,
    ):
        waiting = [pool.submit(fetch_one, jar, Path(work), directory) for jar in jars]
        try:
            for done, future in enumerate(as_completed(waiting), 1):
                future.result()
                if done % 10 == 1 or done == len(jars):
                    print(f"tandem: Kafka: {done} of {len(jars)} jars", file=sys.stderr, flush=True)
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def fetch_one(jar: Jar, work: Path, directory: Path) -> None:
    with warnings.catch_warnings():
        # Imported here, because it warns about a missing XDG_RUNTIME_DIR, which is irrelevant.
        warnings.simplefilter("ignore")
        from jgo.maven import MavenContext
    context = MavenContext(repo_cache=work, timeout=30)
    try:
        component = context.project(jar.group, jar.artifact).at_version(jar.version)
        found = component.artifact().resolve()
    except Exception as error:  # the remedy is the same for every error
        raise StackError(
            f"cannot fetch {jar.file_name} for Kafka ({type(error).__name__}); check the network "
            "(or HTTPS_PROXY) and the disk and retry; downloaded jars are kept"
        ) from error
    if hashlib.sha256(found.read_bytes()).hexdigest() != jar.sha256:
        raise StackError(f"{jar.file_name} does not have the checksum of {LOCK.name}")
    shutil.move(found, directory / jar.file_name)


@contextmanager
def exclusive(directory: Path) -> Iterator[None]:
    """One clone downloads at a time."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
