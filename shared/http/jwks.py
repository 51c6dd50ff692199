"""The keys that tokens are verified with: read from a file or a URL, and kept fresh."""

import asyncio
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import structlog

from shared.http.keys import VerificationKey, parse_keys

log = structlog.stdlib.get_logger(__name__)

_MAX_BYTES: Final = 1024 * 1024
_FETCH_TIMEOUT_S: Final = 5.0
_FILE_POLL_S: Final = 1.0
_RETRY_PAUSE_S: Final = 1.0
_UNKNOWN_KID_PAUSE_S: Final = 1.0
_UNKNOWN_KID_WAIT_S: Final = 2.0


class JwksUnreadable(Exception):
    """The key set cannot be read; the message names JWKS_URL and fits on a line."""


class KeySet:
    """The current keys of one source, which is a path, a `file:` URL or an http(s) URL.

    A source that cannot be read keeps the last keys. `generation` grows when the keys change.
    """

    def __init__(
        self,
        source: str,
        *,
        refresh_seconds: float = 60.0,
        fetch: Callable[[str], bytes] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._source = source
        self._path = _path_of(source)
        self._fetch = fetch or _fetch
        self._refresh_seconds = refresh_seconds
        self._clock = clock
        self._document: bytes | None = None
        self._stamp: tuple[int, ...] | None = None
        self._keys: tuple[VerificationKey, ...] = ()
        self._refreshing: asyncio.Task[None] | None = None
        self._requested_at = -_UNKNOWN_KID_PAUSE_S
        self.generation = 0

    async def start(self) -> None:
        """Reads the keys for the first time.

        Raises JwksUnreadable for a file; a URL that is not available yet is retried by `run`.
        """
        try:
            await self._read()
        except (OSError, ValueError) as error:
            if self._path is not None:
                raise JwksUnreadable(f"JWKS_URL: {_reason(error)}: {self._path}") from None
            log.warning("jwks_unavailable", error=_reason(error))
            return
        if self._path is not None and not self._keys:
            raise JwksUnreadable(f"JWKS_URL: no usable key in {self._path}")

    async def run(self) -> None:
        """Keeps the keys fresh until it is cancelled: a URL every minute, a file as it changes."""
        while True:
            await asyncio.sleep(self._pause())
            if self._path is None or await asyncio.to_thread(self._file_changed):
                await self._refresh()

    def not_ready(self) -> str | None:
        """Why no token can be verified, or None: a readiness check."""
        return None if self._keys else "JWKS_URL: there is no usable key yet"

    def fitting(self, kid: str | None, algorithm: str) -> list[VerificationKey]:
        """The keys of this id (of any, where it is None) that fit the algorithm."""
        return [
            key
            for key in self._keys
            if algorithm in key.algorithms and (kid is None or key.kid == kid)
        ]

    def knows(self, kid: str) -> bool:
        """Whether a present key has this id."""
        return any(key.kid == kid for key in self._keys)

    async def fetch_unknown(self, kid: str) -> None:
        """Refreshes once for all requests with an unknown key, and returns within 2 s.

        A URL is fetched at most once a second: tokens with forged ids cost little, and delay a
        rotated key by no more. A file is read only if it changed.
        """
        if self._refreshing is None and not await self._may_fetch():
            return
        if self.knows(kid):
            return
        refreshing = self._start_refresh()
        await asyncio.wait([refreshing], timeout=_UNKNOWN_KID_WAIT_S)

    async def _may_fetch(self) -> bool:
        if self._path is not None:
            return await asyncio.to_thread(self._file_changed)
        now = self._clock()
        if now - self._requested_at < _UNKNOWN_KID_PAUSE_S:
            return False
        self._requested_at = now
        return True

    def _pause(self) -> float:
        if self._path is not None:
            return _FILE_POLL_S
        return self._refresh_seconds if self._document is not None else _RETRY_PAUSE_S

    def _start_refresh(self) -> asyncio.Task[None]:
        if self._refreshing is None:
            self._refreshing = asyncio.create_task(self._try_read(), name="jwks-refresh")
        return self._refreshing

    async def _refresh(self) -> None:
        await asyncio.shield(self._start_refresh())

    async def _try_read(self) -> None:
        try:
            await self._read()
        except (OSError, ValueError) as error:
            log.warning("jwks_refresh_failed", error=_reason(error))
        finally:
            self._refreshing = None

    async def _read(self) -> None:
        document = await asyncio.to_thread(self._load)
        if document != self._document:
            self._keys = parse_keys(document)
            self._document = document
            self.generation += 1
            log.info("jwks_read", keys=len(self._keys))

    def _load(self) -> bytes:
        if self._path is None:
            return self._fetch(self._source)
        self._stamp = _stamp(self._path)  # before reading: a change in between is seen next time
        with self._path.open("rb") as file:
            return _bounded(file.read(_MAX_BYTES + 1))

    def _file_changed(self) -> bool:
        return self._path is not None and _stamp(self._path) != self._stamp


def _path_of(source: str) -> Path | None:
    url = urlsplit(source)
    if url.scheme in ("http", "https"):
        return None
    return Path(unquote(url.path) if url.scheme == "file" else source)


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        stat = path.stat()
    except OSError:
        return None
    return stat.st_mtime_ns, stat.st_size, stat.st_ino


def _fetch(url: str) -> bytes:
    """Blocks for about 5 s at most, also when the server sends a byte at a time."""
    deadline = time.monotonic() + _FETCH_TIMEOUT_S
    request = urllib.request.Request(url, headers={"Accept": "application/json"})
    with urllib.request.urlopen(request, timeout=_FETCH_TIMEOUT_S) as response:
        document = bytearray()
        while part := response.read1(65536):
            document += part
            if time.monotonic() > deadline:
                raise TimeoutError("it takes too long")
            _bounded(document)
    return bytes(document)


def _bounded(document: bytes | bytearray) -> bytes:
    if len(document) > _MAX_BYTES:
        raise ValueError("it is larger than 1 MiB")
    return bytes(document)


def _reason(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or str(getattr(error, "reason", "")) or type(error).__name__
    return "it is not a JSON Web Key Set" if "JSON" in type(error).__name__ else str(error)
