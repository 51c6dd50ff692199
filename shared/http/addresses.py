"""The address of a client, seen through the proxies that are trusted to name it."""

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from shared.http.headers import Headers

Networks = Sequence[IPv4Network | IPv6Network]


def is_trusted(address: str, networks: Networks) -> bool:
    """Whether the address is in one of the networks."""
    if not networks:
        return False
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    return any(parsed in network for network in networks)


def forwarded_address(headers: Headers, peer: str, networks: Networks) -> str:
    """The last address of `X-Forwarded-For` that is not a trusted proxy's; without one, `peer`."""
    for text in reversed((headers.joined(b"x-forwarded-for") or "").split(",")):
        address = without_mapping(text.strip())
        try:
            ip_address(address)
        except ValueError:
            return peer
        if not is_trusted(address, networks):
            return address
        peer = address
    return peer


def without_mapping(address: str) -> str:
    """An IPv4 address as such, also if a dual-stack socket reports it as `::ffff:192.0.2.1`."""
    if not address.lower().startswith("::ffff:"):
        return address
    try:
        return str(IPv6Address(address).ipv4_mapped or address)
    except ValueError:
        return address


def network_of(address: str) -> str:
    """What a limit per address counts: an IPv4 address, or the /64 network of an IPv6 address."""
    if ":" not in address:
        return address
    try:
        return str(ip_network(f"{address.partition('%')[0]}/64", strict=False))
    except ValueError:
        return address
