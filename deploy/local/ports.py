"""Which ports of 127.0.0.1 are free."""

import random
import socket
from typing import Final

HOST = "127.0.0.1"
_RANGE: Final = (20_000, 32_000)


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


def free_port() -> int:
    """A port that is free now; another process may take it before the caller does."""
    return free_ports(1)[0]


def free_ports(count: int) -> list[int]:
    """As many different ones, drawn from below those that the system gives to clients."""
    draw = random.SystemRandom()
    chosen: set[int] = set()
    while len(chosen) < count:
        port = draw.randrange(*_RANGE)
        if is_free(port):
            chosen.add(port)
    return list(chosen)
