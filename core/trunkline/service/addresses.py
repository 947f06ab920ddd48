"""Which network addresses a request of ours may go to: the public ones, and nothing that only looks public.

`ipaddress.is_global` is no guard: some versions call 192.0.0.8, multicast, NAT64, 6to4 and `::127.0.0.1`
global, and all of them Azure's 168.63.129.16. So the address is first unwrapped, then held against tables,
and `is_global` has the last word.
Source: https://www.iana.org/assignments/iana-ipv4-special-registry/ (read 2026-11-21)
Source: https://www.iana.org/assignments/iana-ipv6-special-registry/ (read 2026-11-21)
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

__all__ = ["refusal"]

#: Network → why nothing of ours goes there; the first that matches tells the reason.
_REFUSED_V4: tuple[tuple[IPv4Network, str], ...] = tuple(
    (IPv4Network(network), reason)
    for network, reason in (
        ("0.0.0.0/8", "unspecified"),
        ("127.0.0.0/8", "loopback"),
        ("169.254.169.254/32", "metadata"),
        ("100.100.100.200/32", "metadata"),
        ("168.63.129.16/32", "metadata"),
        ("192.0.0.192/32", "metadata"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("100.64.0.0/10", "shared"),
        ("169.254.0.0/16", "link_local"),
        ("192.0.0.0/24", "protocol"),
        ("192.0.2.0/24", "documentation"),
        ("198.51.100.0/24", "documentation"),
        ("203.0.113.0/24", "documentation"),
        ("192.88.99.0/24", "relay"),
        ("198.18.0.0/15", "benchmark"),
        ("224.0.0.0/4", "multicast"),
        ("240.0.0.0/4", "reserved"),
    )
)
_REFUSED_V6: tuple[tuple[IPv6Network, str], ...] = tuple(
    (IPv6Network(network), reason)
    for network, reason in (
        ("::/128", "unspecified"),
        ("::1/128", "loopback"),
        ("fd00:ec2::254/128", "metadata"),
        ("fc00::/7", "private"),
        ("fe80::/10", "link_local"),
        ("fec0::/10", "site_local"),
        ("ff00::/8", "multicast"),
        ("64:ff9b:1::/48", "translation"),
        ("100::/64", "discard"),
        ("100:0:0:1::/64", "discard"),
        ("2001::/23", "protocol"),
        ("2001:db8::/32", "documentation"),
        ("3fff::/20", "documentation"),
        ("5f00::/16", "segment_routing"),
    )
)
#: All that is public today lies in here.
_PUBLIC_V6 = IPv6Network("2000::/3")


def _low(number: int) -> tuple[IPv4Address, ...]:
    return (IPv4Address(number & 0xFFFFFFFF),)


def _sixth_to_fourth(number: int) -> tuple[IPv4Address, ...]:
    return (IPv4Address(number >> 80 & 0xFFFFFFFF),)


def _teredo(number: int) -> tuple[IPv4Address, ...]:
    """Return the server and the client, which is written inverted."""
    return IPv4Address(number >> 64 & 0xFFFFFFFF), IPv4Address(~number & 0xFFFFFFFF)


#: Networks whose addresses carry IPv4 addresses, and where those stand. NAT64's prefix for local use
#: (64:ff9b:1::/48) carries one as well, but where depends on a length that only its own network knows: it is
#: refused as a whole.
_WRAPPINGS: tuple[tuple[IPv6Network, Callable[[int], tuple[IPv4Address, ...]]], ...] = (
    (IPv6Network("::ffff:0:0/96"), _low),
    (IPv6Network("::/96"), _low),
    (IPv6Network("64:ff9b::/96"), _low),
    (IPv6Network("2002::/16"), _sixth_to_fourth),
    (IPv6Network("2001::/32"), _teredo),
)


def refusal(address: str | IPv4Address | IPv6Address) -> str | None:
    """Return why a literal address may not be reached, None if it may."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return "not_an_address"
    if isinstance(parsed, IPv4Address):
        return _refusal_v4(parsed)
    return _refusal_v6(parsed)


def _refusal_v4(address: IPv4Address) -> str | None:
    for network, reason in _REFUSED_V4:
        if address in network:
            return reason
    return None if address.is_global else "not_global"


def _refusal_v6(address: IPv6Address) -> str | None:
    if address.scope_id is not None:
        return "link_local"
    for wrapping, unwrap in _WRAPPINGS:
        if address in wrapping and int(address) > 1:
            return next(filter(None, map(_refusal_v4, unwrap(int(address)))), None)
    for network, reason in _REFUSED_V6:
        if address in network:
            return reason
    return None if address in _PUBLIC_V6 and address.is_global else "not_global"
