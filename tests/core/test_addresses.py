"""Which addresses are public: the table of everything that is not, and its disguises."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trunkline.service.addresses import refusal

SPECIAL_V4 = (
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.88.99.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/4",
    "240.0.0.0/4",
    "255.255.255.255/32",
    "168.63.129.16/32",
)
SPECIAL_V6 = (
    "::/128",
    "::1/128",
    "64:ff9b:1::/48",
    "100::/64",
    "100:0:0:1::/64",
    "2001:2::/48",
    "2001:3::/32",
    "2001:10::/28",
    "2001:20::/28",
    "2001:30::/28",
    "2001:db8::/32",
    "3fff::/20",
    "4000::/3",
    "5f00::/16",
    "fc00::/7",
    "fd00:ec2::254/128",
    "fe80::/10",
    "fec0::/10",
    "ff00::/8",
)
PUBLIC = ("8.8.8.8", "93.184.216.34", "147.92.242.1", "2606:4700::1111", "2a00:1450:4001:82a::200e")


def ends(network: str) -> tuple[str, ...]:
    parsed = IPv6Network(network) if ":" in network else IPv4Network(network)
    middle = parsed[parsed.num_addresses // 2]
    return str(parsed[0]), str(middle), str(parsed[-1])


def disguises(address: str) -> list[str]:
    """Return every way to write an IPv4 address as an IPv6 one that routers would unwrap."""
    number = int(IPv4Address(address))
    shift = number << 80
    return [
        str(IPv6Address(0xFFFF << 32 | number)),
        str(IPv6Address(number)),
        str(IPv6Address(int(IPv6Address("64:ff9b::")) | number)),
        str(IPv6Address(int(IPv6Address("64:ff9b:1::")) | number)),
        str(IPv6Address(int(IPv6Address("2002::")) | shift | 1)),
        str(IPv6Address(int(IPv6Address("2001::")) | int(IPv4Address("8.8.8.8")) << 64 | number ^ 0xFFFFFFFF)),
        str(IPv6Address(int(IPv6Address("2001::")) | number << 64 | int(IPv4Address("8.8.8.8")) ^ 0xFFFFFFFF)),
    ]


@pytest.mark.parametrize("network", [*SPECIAL_V4, *SPECIAL_V6])
def test_a_special_range_is_refused_from_end_to_end(network: str) -> None:
    for address in ends(network):
        assert refusal(address), address


@pytest.mark.parametrize("network", SPECIAL_V4)
def test_a_special_range_in_disguise_is_refused(network: str) -> None:
    for address in ends(network):
        for disguise in disguises(address):
            assert refusal(disguise), f"{address} as {disguise}"


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_may_be_reached(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize("address", ["::ffff:8.8.8.8", "64:ff9b::808:808", "2002:808:808::1"])
def test_a_public_address_in_a_known_wrapping_stays_public(address: str) -> None:
    assert refusal(address) is None


@pytest.mark.parametrize("address", ["192.0.0.8", "64:ff9b::7f00:1", "2002:7f00:1::", "::127.0.0.1", "fec0::1"])
def test_what_the_standard_library_calls_global_on_some_versions_is_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize("text", ["", "localhost", "127.1", "0x7f000001", "2130706433", "1.2.3.4.5", "::1%", "[::1]"])
def test_what_is_no_canonical_address_is_refused(text: str) -> None:
    assert refusal(text)


def test_an_address_with_a_scope_is_refused() -> None:
    assert refusal("2606:4700::1111%eth0") == "link_local"


@given(st.ip_addresses(v=4))
def test_a_disguise_is_never_more_public_than_the_address(address: IPv4Address) -> None:
    if refusal(address) is not None:
        assert all(refusal(disguise) for disguise in disguises(str(address)))


@given(st.ip_addresses())
def test_every_address_has_an_answer(address: IPv4Address | IPv6Address) -> None:
    reason = refusal(address)
    assert reason is None or reason.isidentifier()
    if isinstance(address, IPv4Address) and not address.is_global:
        assert reason
