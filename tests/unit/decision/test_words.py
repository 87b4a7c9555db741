"""Every reason has its sentence, and a rule or role that decided is named in it."""

from __future__ import annotations

import re

import pytest

from staffgate.contracts.authz import Target
from staffgate.decision import Reason, Verdict, because, stranger
from staffgate.decision.words import place


@pytest.mark.parametrize("allowed", [True, False])
@pytest.mark.parametrize("reason", Reason)
def test_every_reason_has_a_calm_sentence(reason: Reason, allowed: bool) -> None:
    said = because(Verdict(allowed, reason, allowed, stranger(1)))
    assert re.fullmatch(r"[A-Z][^!?]{15,}\.", said), said


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (Target(), "everything"),
        (Target(product="telephony", contract="7"), "the product telephony in the contract 7"),
        (Target(section="sms"), "the section sms"),
        (Target(section="sms", item="inbox:sales", tenant="acme"), "the item inbox:sales in the tenant acme"),
        (Target(section="sms", feature="sms.send"), "the feature sms.send of the section sms"),
        (None, "it"),
    ],
)
def test_a_target_in_words(target: Target | None, said: str) -> None:
    assert place(target) == said
