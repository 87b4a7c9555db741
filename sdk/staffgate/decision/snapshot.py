"""One person's permissions at a revision, compiled: what is cached, and what every question is asked of (section 2)."""

from __future__ import annotations

from uuid import UUID

import msgspec

from staffgate.contracts.authz import Target
from staffgate.contracts.caller import StaffType
from staffgate.contracts.identity import StaffStatus
from staffgate.decision.actions import LEVELS, NONE, Mask
from staffgate.decision.catalogue import Catalogue
from staffgate.decision.model import Facts, Reason
from staffgate.decision.rules import Rule, Rules, compiled


class Snapshot(msgspec.Struct, frozen=True, gc=False):
    """What a person may do, as far as it can be known before the question (sections 2 and 4).

    `closed` says why every question is denied, `everything` why every one is allowed. Good for the catalogue that
    it was resolved with: another catalogue needs another snapshot.
    """

    revision: int
    closed: Reason | None
    everything: Reason | None
    grants: Rules
    default: Mask
    route_anywhere: bool


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """A decision (section 7). The rule behind it is looked up when somebody asks: most are never explained.

    `visible` is false where the person may not even view the resource: the product answers as if it did not exist.
    """

    allowed: bool
    reason: Reason
    visible: bool
    snapshot: Snapshot
    decider: Rule | None = None

    @property
    def revision(self) -> int:
        """The organisation's revision at which it was decided (section 7)."""
        return self.snapshot.revision

    @property
    def target(self) -> Target | None:
        """What the grant that decided is on, where one did (section 7)."""
        return None if self.decider is None else self.decider.target

    @property
    def rule(self) -> UUID | None:
        """The id of the grant that decided, where one did (section 7)."""
        return None if self.decider is None else self.snapshot.grants.identity(self.decider)


# Most people have no exception at all; they share this one.
_NO_RULES = Rules({}, {}, b"", b"")

_EVERYTHING = {
    StaffType.OWNER: Reason.OWNER,
    StaffType.ADMINISTRATOR: Reason.ADMINISTRATOR,
    StaffType.STANDARD: None,
}


def resolve(facts: Facts, catalogue: Catalogue) -> Snapshot:
    """Facts compiled for deciding (section 2). The same facts always give the same snapshot (section 7)."""
    closed = _closed(facts)
    if closed is not None:
        return _shut(facts.revision, closed)
    return Snapshot(
        revision=facts.revision,
        closed=None,
        everything=_EVERYTHING[facts.type],
        grants=compiled(facts.grants, catalogue) if facts.grants else _NO_RULES,
        default=LEVELS[facts.default_level],
        route_anywhere=facts.route_anywhere,
    )


def stranger(revision: int) -> Snapshot:
    """Somebody whom the organisation does not know: denied, never an exception (section 7)."""
    return _shut(revision, Reason.UNKNOWN_SUBJECT)


def _shut(revision: int, reason: Reason) -> Snapshot:
    # Nothing of what the person may otherwise do goes in, so that no path around the gate can find any of it.
    return Snapshot(revision, reason, None, _NO_RULES, NONE, False)


def _closed(facts: Facts) -> Reason | None:
    """Gate 1 (section 4)."""
    if not facts.org_active:
        return Reason.ORGANISATION_INACTIVE
    if facts.status is StaffStatus.SUSPENDED:
        return Reason.ACCOUNT_SUSPENDED
    return None if facts.status is StaffStatus.ACTIVE else Reason.ACCOUNT_INACTIVE
