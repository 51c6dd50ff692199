"""The names of the generations of a shard's views. Names are never reused."""

import secrets
import time
from collections.abc import Iterable
from typing import Final

from shared.contracts.views import decode_checkpoint, decode_spare, generation_order

_DIGITS: Final = "0123456789abcdefghijklmnopqrstuvwxyz"


def new_generation(names: Iterable[str]) -> str:
    """`g` and the present second in base 36, or the next greater name than all these."""
    greatest = max(names, key=generation_order)
    taken = int(greatest[1:], 36) if len(greatest) > 1 else 0
    return f"g{_base36(max(int(time.time()), taken + 1))}"


def named_generations(
    checkpoint: bytes | None, spare: bytes | None, sweep: bytes | None
) -> list[str]:
    """The generations that the values of these keys of a shard name."""
    names = []
    live, other = decode_checkpoint(checkpoint), decode_spare(spare)
    if live is not None:
        names.append(live.generation)
    if other is not None:
        names.append(other.checkpoint.generation)
    if sweep:
        names.append(sweep.partition(b" ")[2].decode())
    return names


def new_sweep(dropped: str) -> bytes:
    """A value of the key `sweep`, with a new mark."""
    return f"{secrets.token_hex(4)} {dropped}".encode()


def swept_again(sweep: bytes) -> bytes:
    """The value with a new mark."""
    return new_sweep(sweep.partition(b" ")[2].decode())


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits
