"""A supervised program: its name, command line, environment and address."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Program:
    """One supervised process. Its command replaces itself with the process."""

    name: str
    command: tuple[str, ...]
    port: int
    environment: Mapping[str, str] = field(default_factory=dict)
    stop_signal: str = "TERM"
    stop_seconds: int = 8
    """How long a stop may take before the process is killed."""


def numbered_names(name: str, count: int) -> list[str]:
    """`relay` if there is one; `relay-1`, `relay-2`, … if there are several."""
    return [name] if count == 1 else [f"{name}-{number}" for number in range(1, count + 1)]
