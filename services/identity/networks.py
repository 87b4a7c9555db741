"""From where an organisation's people may get in: a list of networks. An empty one lets in from everywhere.

The operator can have a list too, the floor: an organisation tightens it and can't widen it, because both have to hold.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache

from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import SecurityPolicy

Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_STRONG = frozenset({"otp", "hwk"})  # amr (RFC 8176): an authenticator app, a passkey


@dataclass(frozen=True)
class Floor:
    """The operator's list. `networks` of none lets in from everywhere."""

    networks: tuple[str, ...] = ()

    def admits(self, ip: str, policy: SecurityPolicy) -> bool:
        return within(ip, self.networks) and within(ip, policy.networks)

    def admits_session(self, ip: str, policy: SecurityPolicy, type: StaffType, amr: Collection[str]) -> bool:
        """The owner gets past the organisation's list, and never past the floor, with a factor that can't be phished out
        of a mailbox: whoever locked everybody out has to be able to undo it."""
        if self.admits(ip, policy):
            return True
        return type is StaffType.OWNER and not _STRONG.isdisjoint(amr) and within(ip, self.networks)


def read_floor(text: str) -> Floor:
    """Networks with commas between. Raise ValueError."""
    return Floor(tuple(str(parse(one)) for one in text.split(",") if one.strip()))


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
    if "%" in text:
        raise ValueError("a zone says nothing outside its own machine")
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
