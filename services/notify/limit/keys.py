"""What is counted is kept as HMACs: of whom they are nobody can tell, save by guessing with the key at hand."""

from __future__ import annotations

import hmac
import ipaddress

_BYTES = 16  # enough that no two are the same by chance
_NETWORK_OF_ONE = 64  # bits of an IPv6 address; a household or an office has all that follow


class Keys:
    def __init__(self, secret: bytes) -> None:
        self._secret = secret

    def of(self, kind: str, *parts: str) -> bytes:
        """Two kinds never have one key, and what is one part is never two."""
        text = "".join(f"{len(part)}:{part}" for part in (kind, *parts))
        return hmac.digest(self._secret, f"limit/{text}".encode(), "sha256")[:_BYTES]


def network(source: str) -> str:
    """What is counted as one place to ask from; empty if it is no address."""
    try:
        address = ipaddress.ip_address(source)
    except ValueError:
        return ""
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((int(address), _NETWORK_OF_ONE), strict=False))
