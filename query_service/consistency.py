"""Read-your-writes: a request's consistency token, and waiting until a view covers it."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, TypeVar

from query_service.positions import GenerationChanged, Positions, ReadPositions
from query_service.watcher import Watcher
from shared.contracts.tokens import MalformedToken, format_token, merge_position, parse_token
from shared.http.messages import Request
from shared.http.problems import Problem, unavailable

T = TypeVar("T")

DEFAULT_WAIT_S: Final = 2
MAX_WAIT_S: Final = 30
_MAX_GENERATION_CHANGES: Final = 3
_ELEMENT: Final = re.compile(r'(?:[^",]++|"(?:[^"\\]++|\\.)*+(?:"|\\?\Z))*+', re.DOTALL)
"""One element of a list, up to its comma. No character is read twice, whatever the text."""
_WAIT: Final = re.compile(r"[ \t]*+wait[ \t]*+(?:=[ \t]*+([^;]*+))?(?:;.*)?", re.I | re.DOTALL)


@dataclass(frozen=True, slots=True)
class ConsistencyRequirement:
    """The positions that a response must cover; `deadline` is the loop's time."""

    positions: Mapping[str, int]
    deadline: float
    caller: str | None = None
    """Whose budget of waiting reads counts; None: that of all anonymous callers."""


class StaleRead(Exception):
    """A view does not cover the token; `missing` are the shards and positions to wait for."""

    def __init__(self, missing: Mapping[str, int]) -> None:
        super().__init__(missing)
        self.missing = missing


def parse_consistency_headers(request: Request, partitions: int) -> ConsistencyRequirement | None:
    """The request's token and Prefer header as a requirement; None without a token. Raises 400."""
    text = request.headers.joined(b"consistency-token")
    if text is None:
        return None
    try:
        positions = parse_token(text, partitions)
    except MalformedToken as error:
        raise Problem("malformed-request", str(error)) from None
    seconds = wait_seconds(request.headers.joined(b"prefer"))
    deadline = asyncio.get_running_loop().time() + seconds
    caller = None if request.caller is None else request.caller.sub
    return ConsistencyRequirement(positions, deadline, caller)


def wait_seconds(prefer: str | None) -> int:
    """The `wait` of a Prefer header (RFC 7240): the first one counts, an invalid one is ignored."""
    text, start = prefer or "", 0
    while start < len(text):
        element = _ELEMENT.match(text, start)
        assert element is not None  # it may be empty
        preference = _WAIT.fullmatch(element[0])
        if preference is not None:
            return _bounded_wait((preference[1] or "").strip(" \t").strip('"'))
        start = element.end() + 1
    return DEFAULT_WAIT_S


def _bounded_wait(digits: str) -> int:
    if not (digits.isascii() and digits.isdigit()):
        return DEFAULT_WAIT_S
    return MAX_WAIT_S if len(digits) > 9 else min(int(digits), MAX_WAIT_S)


def merged_token(requirement: ConsistencyRequirement | None, positions: Mapping[str, int]) -> str:
    """The token that covers the request's token and the positions that were read."""
    if requirement is None:
        return format_token(positions)
    merged = dict(requirement.positions)
    for shard, position in positions.items():
        merge_position(merged, shard, position)
    return format_token(merged)


class Consistency:
    """Ensures that a response covers its token and does not come from unreadable views."""

    def __init__(self, positions: Positions, watcher: Watcher) -> None:
        self._positions = positions
        self._watcher = watcher

    def floors(self, shards: list[str]) -> ReadPositions:
        """The minimum positions for `check`; call it before the read."""
        return self._positions.floors(shards)

    def check(
        self,
        floors: ReadPositions,
        checkpoints: Iterable[bytes | None],
        requirement: ConsistencyRequirement | None = None,
    ) -> ReadPositions:
        """The positions of the checkpoints, which are in the order of `floors`.

        Raises 503 if a view is unreadable, GenerationChanged and StaleRead.
        """
        generations = floors.generations
        positions = ReadPositions(
            {
                shard: self._positions.check(shard, stored, floors[shard])
                for shard, stored in zip(floors, checkpoints, strict=True)
            },
            generations,
        )
        # After all shards were observed, so that the next attempt has all new generations.
        for shard in positions:
            self._positions.require_generation(shard, generations[shard])
        if requirement is not None:
            missing = {
                shard: required
                for shard, required in requirement.positions.items()
                if positions.get(shard, required) < required
            }
            if missing:
                raise StaleRead(missing)
        return positions

    def require_generations(
        self, floors: ReadPositions, checkpoints: Iterable[bytes | None]
    ) -> None:
        """Raises GenerationChanged. Unreadable views are accepted."""
        for shard, stored in zip(floors, checkpoints, strict=True):
            with suppress(Problem):
                self._positions.check(shard, stored, 0)
        for shard in floors:
            self._positions.require_generation(shard, floors.generations[shard])

    async def read(
        self, requirement: ConsistencyRequirement | None, attempt: Callable[[], Awaitable[T]]
    ) -> T:
        """The result of the first attempt that is neither stale nor of several generations.

        Raises 412 (deadline) and 503.
        """
        changes = 0
        while True:
            try:
                return await attempt()
            except GenerationChanged:
                changes += 1
                if changes > _MAX_GENERATION_CHANGES:
                    raise unavailable("the view is being replaced; retry later") from None
            except StaleRead as stale:
                if requirement is None:
                    raise
                await self._watcher.wait_for(
                    stale.missing, requirement.deadline, requirement.caller
                )
