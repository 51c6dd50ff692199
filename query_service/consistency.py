"""Reading one's own writes: what a request's token asks for, and how long it may be waited for."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, TypeVar

from query_service.positions import Positions
from query_service.watcher import Watcher
from shared.contracts.tokens import MalformedToken, format_token, merge_position, parse_token
from shared.http.messages import Request
from shared.http.problems import Problem

T = TypeVar("T")

DEFAULT_WAIT_S: Final = 2
MAX_WAIT_S: Final = 30
_PREFERENCE: Final = re.compile(
    r'[ \t]*([!#$%&\'*+.^_`|~0-9A-Za-z-]+)(?:[ \t]*=[ \t]*("(?:[^"\\]|\\.)*"|[^\s",;]*))?'
    r'(?:[ \t]*;(?:[^",]|"(?:[^"\\]|\\.)*")*)?[ \t]*(?:,|$)'
)


@dataclass(frozen=True, slots=True)
class ConsistencyRequirement:
    """The positions that an answer must not be from before; `deadline` is the loop's time."""

    positions: Mapping[str, int]
    deadline: float


class Behind(Exception):
    """What was read is from before the token: `needs` are the shards and positions to wait for."""

    def __init__(self, needs: Mapping[str, int]) -> None:
        super().__init__(needs)
        self.needs = needs


def parse_consistency_headers(request: Request, partitions: int) -> ConsistencyRequirement | None:
    """What the request's token asks for; None without one. Raises 400."""
    text = request.headers.joined(b"consistency-token")
    if text is None:
        return None
    try:
        positions = parse_token(text, partitions)
    except MalformedToken as error:
        raise Problem("malformed-request", str(error)) from None
    seconds = wait_seconds(request.headers.joined(b"prefer"))
    return ConsistencyRequirement(positions, asyncio.get_running_loop().time() + seconds)


def wait_seconds(prefer: str | None) -> int:
    """The `wait` of a Prefer header (RFC 7240): the first counts, a bad one is ignored."""
    for name, value in _PREFERENCE.findall(prefer or ""):
        if name.lower() == "wait":
            digits = value.strip('"')
            if not (digits.isascii() and digits.isdigit()):
                return DEFAULT_WAIT_S
            return MAX_WAIT_S if len(digits) > 9 else min(int(digits), MAX_WAIT_S)
    return DEFAULT_WAIT_S


def merged_token(wanted: ConsistencyRequirement | None, read: Mapping[str, int]) -> str:
    """The token that covers the request's and what was read."""
    if wanted is None:
        return format_token(read)
    merged = dict(wanted.positions)
    for shard, position in read.items():
        merge_position(merged, shard, position)
    return format_token(merged)


class Consistency:
    """Sees to it that no answer is from before its token, nor from views that must not be read."""

    def __init__(self, positions: Positions, watcher: Watcher) -> None:
        self._positions = positions
        self._watcher = watcher

    def floors(self, shards: list[str]) -> dict[str, int]:
        """To be taken before the read that `check` is to judge."""
        return self._positions.floors(shards)

    def check(
        self,
        floors: Mapping[str, int],
        checkpoints: Iterable[bytes | None],
        wanted: ConsistencyRequirement | None = None,
    ) -> dict[str, int]:
        """The positions of checkpoints, in the order of `floors`. Raises 503 and Behind."""
        positions = {
            shard: self._positions.check(shard, stored, floors[shard])
            for shard, stored in zip(floors, checkpoints, strict=True)
        }
        if wanted is not None:
            needs = {
                shard: need
                for shard, need in wanted.positions.items()
                if positions.get(shard, need) < need
            }
            if needs:
                raise Behind(needs)
        return positions

    async def answer(
        self, wanted: ConsistencyRequirement | None, attempt: Callable[[], Awaitable[T]]
    ) -> T:
        """The result of the first attempt that is not behind. Raises 412 and 503."""
        if wanted is None:
            return await attempt()
        while True:
            try:
                return await attempt()
            except Behind as behind:
                needs = behind.needs
            await self._watcher.reach(needs, wanted.deadline)
