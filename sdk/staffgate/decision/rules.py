"""A set of rules on targets, of which a narrower one replaces a wider one (permission model, section 2)."""

from __future__ import annotations

from collections.abc import Iterable
from sys import intern
from uuid import UUID

import msgspec

from staffgate.contracts.authz import Grant, Target
from staffgate.decision.actions import LEVELS, Mask
from staffgate.decision.catalogue import Catalogue, Path


class Rule(msgspec.Struct, frozen=True, gc=False):
    """One of a person's rules, by where it is: enough to find the rest when somebody asks for it (section 7)."""

    place: str
    feature: str | None
    path: Path

    @property
    def target(self) -> Target:
        """What the rule is on (section 1)."""
        if ":" in self.place:
            return Target(section=self.path[1], feature=self.feature, item=self.place)
        return Target(section=self.place, feature=self.feature)


class Rules(msgspec.Struct, frozen=True, gc=False):
    """Rules by the place that they are on: for everything there, and for one feature there (section 2).

    The tables lead to a rule's number; what it allows and its id are packed by number. Small numbers are shared by
    the whole process and places by everybody who has a rule there, so that a rule costs a person about fifty bytes.
    """

    whole: dict[str, int]
    narrow: dict[tuple[str, str], int]
    masks: bytes
    ids: bytes

    def judge(self, path: Path, feature: str | None, need: Mask) -> tuple[bool, Rule] | None:
        """What remains when each rule that another one narrows is dropped; all of it has to allow (section 2, tier 1).

        Two rules at most remain. One on the feature narrows everything at its own place and outwards of it. One on
        a whole place narrows the whole places outwards, but no feature: next to a feature further out, both count.
        """
        narrow = self._innermost(path, feature) if self.narrow and feature is not None else None
        for place in path:
            if place == narrow:
                break
            number = self.whole.get(place)
            if number is not None:
                allowed = self.masks[number] & need != 0
                if narrow is None or not allowed:
                    return allowed, Rule(place, None, path)
                break
        if feature is None or narrow is None:
            return None
        return self.masks[self.narrow[feature, narrow]] & need != 0, Rule(narrow, feature, path)

    def _innermost(self, path: Path, feature: str) -> str | None:
        for place in path:
            if (feature, place) in self.narrow:
                return place
        return None

    def places(self) -> set[str]:
        """Every place that has a rule (section 2)."""
        return {*self.whole, *(place for _, place in self.narrow)}

    def identity(self, rule: Rule) -> UUID:
        """The id of a rule (section 7)."""
        number = self.whole[rule.place] if rule.feature is None else self.narrow[rule.feature, rule.place]
        return UUID(bytes=self.ids[16 * number : 16 * number + 16])


def compiled(grants: Iterable[Grant], catalogue: Catalogue) -> Rules:
    """One person's explicit grants as rules (section 2, tier 1). Their order makes no difference."""
    whole: dict[str, int] = {}
    narrow: dict[tuple[str, str], int] = {}
    # Of two grants on one target both have to allow. Levels contain one another, so the lowest says it for both.
    ordered = sorted(grants, key=lambda grant: (LEVELS[grant.level], grant.id))
    for number, grant in enumerate(ordered):
        target = catalogue.canonical(grant.target)
        if target is None:
            continue
        place = intern(target.item or target.section)
        if target.feature is None:
            whole.setdefault(place, number)
        else:
            narrow.setdefault((intern(target.feature), place), number)
    masks = bytes(LEVELS[grant.level] for grant in ordered)
    return Rules(whole, narrow, masks, b"".join(grant.id.bytes for grant in ordered))
