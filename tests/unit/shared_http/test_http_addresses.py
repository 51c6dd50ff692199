"""Addresses of clients, as the limits per address count them."""

from ipaddress import ip_network

import pytest

from shared.http.addresses import forwarded_address, is_trusted, network_of, without_mapping
from shared.http.headers import Headers


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::FFFF:c000:201", "192.0.2.1"),
        ("::ffff:nonsense", "::ffff:nonsense"),
        ("2001:db8::1", "2001:db8::1"),
    ],
)
def test_an_ipv4_address_of_a_dual_stack_socket_is_an_ipv4_address(
    address: str, expected: str
) -> None:
    assert without_mapping(address) == expected


def test_a_forwarded_address_is_compared_as_an_ipv4_address() -> None:
    headers = Headers([(b"x-forwarded-for", b"::ffff:192.0.2.1, ::ffff:10.0.0.3")])
    assert forwarded_address(headers, "10.0.0.2", [ip_network("10.0.0.0/8")]) == "192.0.2.1"
    assert not is_trusted("192.0.2.1", [ip_network("10.0.0.0/8")])


def test_addresses_of_one_ipv6_network_count_together() -> None:
    assert network_of("2001:db8::1") == network_of("2001:db8::ffff:2") == "2001:db8::/64"
    assert network_of("192.0.2.1") == "192.0.2.1"
