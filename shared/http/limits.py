"""How much of a process its HTTP clients may occupy: connections, memory and time."""

from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectionLimits:
    """Per process. Bytes are counted while they wait in a connection: those of requests without a
    response, and those of responses that the client has not received. Connections of
    `trusted_proxies` are not counted per address; their `X-Forwarded-For` names the client instead.
    """

    max_connections: int = 8192
    max_connections_per_address: int = 1024
    max_body_bytes: int = 128 * 1024
    max_received_bytes: int = 64 * 1024 * 1024
    max_unsent_bytes: int = 64 * 1024 * 1024
    request_timeout_s: float = 10.0
    send_timeout_s: float = 10.0
    keep_alive_timeout_s: float = 75.0
    """Longer than load balancers keep a connection, so that they are the first to close it."""
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...] = ()
