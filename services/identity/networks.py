"""From where an organisation's people may get in: a list of networks. An empty one lets in from everywhere."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from functools import lru_cache

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def within(ip: str, networks: Sequence[str]) -> bool:
    """An IPv4 address that is written as an IPv6 one (::ffff:192.0.2.1) is that IPv4 address. No address is outside."""
    if not networks:
        return True
    try:
        address = _plain(ip)
    except ValueError:
        return False
    return any(address in network for network in map(parse, networks))


@lru_cache(maxsize=4096)
def parse(text: str) -> Network:
    """CIDR, or one address. Raise ValueError."""
    network = ipaddress.ip_network(text.strip(), strict=False)
    if isinstance(network, ipaddress.IPv6Network) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        if mapped is not None:
            return ipaddress.ip_network((mapped, network.prefixlen - 96))
    return network


def prefix(ip: str) -> str:
    """What one subscriber of a network has: an IPv4 address, or an IPv6 /64."""
    try:
        address = _plain(ip)
    except ValueError:
        return ip
    length = 32 if address.version == 4 else 64
    return str(ipaddress.ip_network((address, length), strict=False))


def _plain(ip: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    address = ipaddress.ip_address(ip.split("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
