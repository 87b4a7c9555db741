"""Which limits a message comes under: what is counted for it, over which time, and how much of it there may be."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import suppress
from datetime import timedelta

import msgspec

from services.notify.channels.port import Outgoing
from services.notify.kinds import CODE, notice_kind, warns
from services.notify.limit.keys import Keys, network
from services.notify.limit.numbers import Number
from services.notify.limit.settings import DAY, HOUR, Limits
from services.notify.store.deliveries import Claim
from staffgate.contracts.identity import LinkPurpose

# Dots in these mean nothing, and the second is the first.
_GMAIL = ("gmail.com", "googlemail.com")


_SHARES = 4  # organisations' worth of codes that a number gets in all


class Rule(msgspec.Struct, frozen=True):
    """`most` of this key within that time. `name` is what it is called where nothing of it may be told."""

    name: str
    key: bytes
    within: timedelta
    most: int


def family(template: str) -> str:
    """Each is counted by itself: a flood of notices keeps nobody's code back, and no warning."""
    if template == CODE:
        return "codes"
    if warns(template):
        return "warnings"
    return "notices" if notice_kind(template) else "links"


def rules(
    limits: Limits, keys: Keys, claim: Claim, message: Outgoing, to: Number | None, *, proven: bool
) -> list[Rule]:
    """`to` is an SMS's."""
    of = (claim.channel, family(claim.template))
    who = _number(limits, keys, claim, to, proven=proven) if to else _address(limits, keys, claim, message)
    person = keys.of("person", str(claim.staff), *of)
    return [
        *who,
        Rule("this person", person, HOUR, limits.person_per_hour),
        Rule("this person", person, DAY, limits.person_per_day),
        *_source(limits, keys, claim, message),
    ]


def source_of(claim: Claim, message: Outgoing) -> str:
    """Where it was asked for, by somebody who may be anybody: who invites people does so by the thousand."""
    return "" if claim.template == LinkPurpose.ACTIVATE else network(message.source)


def folded(address: str) -> str:
    """One mailbox, as far as anybody can tell: for limits only, where it does no harm that some are two. What follows a
    plus is the same one's."""
    local, _, domain = unicodedata.normalize("NFKC", address).strip().casefold().rpartition("@")
    with suppress(UnicodeError):  # what is no name of a domain is still the same text
        domain = domain.rstrip(".").encode("idna").decode()
    local = local.partition("+")[0] or local
    if domain in _GMAIL:
        local, domain = local.replace(".", ""), _GMAIL[0]
    return f"{local}@{domain}"


def locks(rules: Sequence[Rule]) -> list[int]:
    """As the database locks them, each once and in one order: two orders of locking are a deadlock."""
    return sorted({int.from_bytes(rule.key[:4], "big", signed=True) for rule in rules})


def _number(limits: Limits, keys: Keys, claim: Claim, to: Number, *, proven: bool) -> Iterator[Rule]:
    """Across organisations: whoever is rung, or paid for it, is the same. A number that has used codes has a share of its
    own in each organisation, so that no stranger's uses up what its person logs in with."""
    number, times = keys.of("number", to.e164), 1
    if proven:
        own, times = keys.of("number", str(claim.org), to.e164), _SHARES
        yield Rule("this number", own, HOUR, limits.number_per_hour)
        yield Rule("this number", own, DAY, limits.number_per_day)
    yield Rule("this number", number, HOUR, limits.number_per_hour * times)
    yield Rule("this number", number, DAY, limits.number_per_day * times)
    if not proven:
        yield Rule("numbers like this one", keys.of("prefix", to.prefix), HOUR, limits.prefix_per_hour)


def _address(limits: Limits, keys: Keys, claim: Claim, message: Outgoing) -> Iterator[Rule]:
    """Within the organisation: nobody else's can use up what it has. What warns a person is theirs alone: a colleague's
    `jane+x@` would use up what warns `jane@`."""
    if warns(claim.template):
        return
    address = keys.of("address", str(claim.org), folded(message.to), family(claim.template))
    yield Rule("this address", address, HOUR, limits.address_per_hour)
    yield Rule("this address", address, DAY, limits.address_per_day)


def _source(limits: Limits, keys: Keys, claim: Claim, message: Outgoing) -> Iterator[Rule]:
    if source := source_of(claim, message):
        key = keys.of("source", source, claim.channel, family(claim.template))
        yield Rule("where it was asked for", key, HOUR, limits.ip_per_hour)
