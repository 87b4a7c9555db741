"""How much may be sent, as the operator sets it: a JSON object, of which everything has a default that is safe."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import msgspec
from msgspec import Meta

from services.notify.provider.settings import Country

Count = Annotated[int, Meta(ge=1, le=10_000_000)]
Money = Annotated[int, Meta(ge=0)]
Percent = Annotated[int, Meta(ge=0, le=100)]


class Conversion(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """When codes that nobody uses are taken for SMS pumping. After so many within an hour, or a day, at least
    `used_percent` of them have to have been used; if not, nothing goes there for `blocked_minutes`. It is looked at for
    each number prefix, each organisation and each address that codes are asked from; numbers that have used a code
    within `proven_days` are held up by none of it."""

    prefix_per_hour: Count = 20
    prefix_per_day: Count = 40
    others_per_hour: Count = 25
    others_per_day: Count = 50
    used_percent: Percent = 10
    blocked_minutes: Count = 60
    proven_days: Count = 90


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Numbers, prefixes and what asks from one IP address are counted across organisations, addresses and persons within
    theirs; codes, links, notices and warnings each by themselves, warnings by no address. Hours and days slide;
    `..._per_day` of an organisation and budgets begin anew at midnight UTC. Money is in millionths, like the providers'
    prices."""

    countries: list[Country] = []  # where SMS go, unless an organisation says otherwise; none: nowhere
    selectable: list[Country] = []  # what an organisation may choose from; none: every country

    number_per_hour: Count = 5
    number_per_day: Count = 10
    prefix_per_hour: Count = 50  # to numbers that have used no code yet; a prefix is a number less its last four digits
    address_per_hour: Count = 20
    address_per_day: Count = 60
    person_per_hour: Count = 30
    person_per_day: Count = 100
    ip_per_hour: Count = 200  # codes and links that somebody asked for; a whole office may be behind one address

    organisation_sms_per_day: Count = 2_000
    organisation_emails_per_day: Count = 20_000
    organisation_budget_per_day: Money = 100_000_000
    suite_budget_per_day: Money = 1_000_000_000

    conversion: Conversion = Conversion()

    def per_day(self, channel: str) -> int:
        return self.organisation_sms_per_day if channel == "sms" else self.organisation_emails_per_day


HOUR, DAY = timedelta(hours=1), timedelta(days=1)


def read(text: str) -> Limits:
    """Raise ValueError for what is no such object."""
    return msgspec.json.decode(text, type=Limits)
