"""What is known of a visitor, in the one form that is compared: however it was typed, it is the same visitor."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator

from services.identity import networks
from services.identity.telephone import e164
from shared.errors import Invalid
from staffgate.contracts.identity import VisitorKind

# Wider than these nobody means one visitor: it is a slip, and turns away half the world.
_WIDEST = {4: 8, 6: 16}


def known_as(kind: VisitorKind, typed: str) -> str:
    """Raise Invalid."""
    if kind is VisitorKind.NUMBER:
        return number(typed)
    return _email(typed) if kind is VisitorKind.EMAIL else _network(typed)


def number(typed: str) -> str:
    try:
        found = e164(typed)
    except Invalid:
        found = None
    if found is None:
        raise Invalid("number_invalid", "Give the number in international form, for example +61 491 570 006.")
    return found


def networks_of(ip: str) -> Iterator[str]:
    """Every network that the address is in, as it would be on the list."""
    try:
        network = networks.parse(ip)
    except ValueError as fault:
        raise _no_address(ip) from fault
    if network.num_addresses != 1:
        raise _no_address(ip)
    for length in range(_WIDEST[network.version], network.max_prefixlen + 1):
        yield str(network.supernet(new_prefix=length))


def _network(typed: str) -> str:
    try:
        network = networks.parse(typed)
    except ValueError as fault:
        raise _no_address(typed) from fault
    if network.prefixlen < _WIDEST[network.version]:
        raise Invalid("network_too_wide", "This network is wider than one visitor can be; name a smaller one.")
    return str(network)


def _email(typed: str) -> str:
    """Lower case, the domain in ASCII (IDNA): two ways to write a domain are one."""
    local, separator, domain = unicodedata.normalize("NFKC", typed).strip().casefold().rpartition("@")
    try:
        ascii = domain.rstrip(".").encode("idna").decode()
    except UnicodeError:
        ascii = ""
    if not separator or not local or "." not in ascii or any(c.isspace() or c == "@" for c in local + ascii):
        raise Invalid("email_invalid", "Give an e-mail address, for example luke@rebels.example.")
    return f"{local}@{ascii}"


def _no_address(typed: str) -> Invalid:
    return Invalid("ip_invalid", "Give an IPv4 or IPv6 address, or a network of them, for example 203.0.113.0/24.")
