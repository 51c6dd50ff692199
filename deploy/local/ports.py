"""Finds free ports on 127.0.0.1."""

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


def free_ports(count: int) -> list[int]:
    """Different ports, from below the range that the system assigns to clients.

    They are free now; another process may bind them before the caller does.
    """
    draw = random.SystemRandom()
    chosen: set[int] = set()
    while len(chosen) < count:
        port = draw.randrange(*_RANGE)
        if is_free(port):
            chosen.add(port)
    return list(chosen)
