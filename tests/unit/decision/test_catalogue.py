"""What makes a catalogue, and what is refused with a clear word."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from staffgate.contracts.authz import Target
from staffgate.decision import BadManifest, Catalogue, Feature, Manifest, Section, shipped
from tests.unit.decision.people import CATALOGUE


def manifest(*sections: Section, features: tuple[Feature, ...] = (), product: str = "sms") -> Manifest:
    return Manifest(product, "SMS", sections, features)


SMS = Section("sms", "SMS", items=("inbox",))


@pytest.mark.parametrize(
    ("manifests", "complaint"),
    [
        ([manifest(SMS), manifest()], "duplicate product 'sms'"),
        ([manifest(SMS), manifest(SMS, product="other")], "duplicate section 'sms'"),
        (
            [manifest(SMS, features=(Feature("a", "A", "sms", "view"), Feature("a", "B", "sms", "edit")))],
            "duplicate feature 'a'",
        ),
        ([manifest(SMS, features=(Feature("a", "A", "fax", "view"),))], "feature 'a': unknown section 'fax'"),
        ([manifest(SMS, features=(Feature("a", "A", "sms", "send"),))], "feature 'a': unknown base action 'send'"),
        (
            [manifest(SMS), manifest(features=(Feature("a", "A", "sms", "view"),), product="other")],
            "feature 'a': unknown section 'sms'",
        ),
        (
            [manifest(SMS, features=(Feature("sms.view", "A", "sms", "edit"),))],
            "feature 'sms.view': this is already an action of the section 'sms'",
        ),
        (
            [manifest(SMS, Section("fax", "Fax"), features=(Feature("sms.view", "A", "fax", "view"),))],
            "feature 'sms.view': this is already an action of the section 'sms'",
        ),
        ([manifest(Section("a", "A", "b"))], "section 'a': unknown parent section 'b'"),
        ([manifest(Section("a", "A", "a"))], "section 'a': its parents go round in a circle"),
        (
            [manifest(Section("a", "A", "b"), Section("b", "B", "c"), Section("c", "C", "b"))],
            "section 'a': its parents go round in a circle",
        ),
        (
            [manifest(SMS, Section("fax", "Fax", items=("inbox",)))],
            "section 'fax': 'sms' already holds the item type 'inbox'",
        ),
        ([manifest(Section("a", "A", items=("section",)))], "section 'a': the item type 'section' is reserved"),
        ([manifest(Section("a", "A", items=("in:box",)))], "manifest of 'sms': Expected `str` matching"),
        ([manifest(Section("a b", "A"))], "manifest of 'sms': Expected `str` matching"),
    ],
)
def test_manifests_that_make_no_catalogue_are_refused(manifests: list[Manifest], complaint: str) -> None:
    with pytest.raises(BadManifest) as refused:
        Catalogue.from_manifests(manifests)
    assert str(refused.value).startswith(complaint)


def test_every_section_has_the_six_general_actions() -> None:
    for base in ("view", "create", "edit", "delete", "download", "approve"):
        assert CATALOGUE.actions[f"contacts.{base}"].feature is None
    assert CATALOGUE.actions["telephony.settings.edit"].section == "telephony.settings"


def test_a_general_action_may_be_listed_as_a_feature() -> None:
    assert CATALOGUE.actions["sms.delete"].feature == "sms.delete"


def test_the_suite_ships_the_products_that_the_page_names() -> None:
    assert [manifest.label for manifest in shipped()] == [
        "System [CORE]",
        "Telephony",
        "Virtual PBX",
        "Automated calls",
        "Chatbots",
        "Integrations and API",
        "Contact Center AI",
        "SMS",
        "Contacts",
        "Campaigns",
        "Reporting",
        "Subscription plan",
        "Channels",
        "Portal",
    ]


def test_a_manifest_travels_as_json() -> None:
    for sent in shipped():
        assert msgspec.json.decode(msgspec.json.encode(sent), type=Manifest) == sent


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ({"section": "sms"}, {"section": "sms"}),
        (
            {"section": "telephony", "item": "number:a"},
            {"section": "telephony.numbers", "item": "number:a"},
        ),
        (
            {"section": "telephony", "item": "number:a", "feature": "call.route"},
            {"section": "telephony.numbers", "item": "number:a", "feature": "call.route"},
        ),
        (
            {"section": "telephony.ivr", "feature": "call.route"},
            {"section": "telephony.ivr", "feature": "call.route"},
        ),
        (
            {"section": "pbx", "feature": "recording.listen"},
            {"section": "pbx.recordings", "feature": "recording.listen"},
        ),
        ({"section": "fax"}, None),
        ({"section": "sms", "feature": "fax.send"}, None),
        ({"section": "sms", "feature": "call.route"}, None),
        ({"section": "sms", "item": "fax:a"}, None),
        ({"section": "sms", "item": "inbox"}, None),
        ({"section": "sms", "item": "number:a"}, None),
        ({"section": "telephony.ivr", "item": "number:a"}, None),
        ({"section": "pbx", "feature": "recording.listen", "item": "queue:a"}, None),
        ({"section": "sms", "item": "section:sms"}, None),
    ],
)
def test_a_target_has_one_way_to_be_written(written: dict[str, Any], canonical: dict[str, Any] | None) -> None:
    expected = None if canonical is None else Target(**canonical)
    assert CATALOGUE.canonical(Target(**written)) == expected
