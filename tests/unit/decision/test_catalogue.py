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
            "feature 'sms.view': this is an action of 'sms' already",
        ),
        (
            [manifest(SMS, Section("fax", "Fax"), features=(Feature("sms.view", "A", "fax", "view"),))],
            "feature 'sms.view': this is an action of 'sms' already",
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
        ([manifest(Section("a", "A", items=("product",)))], "section 'a': the item type 'product' is reserved"),
        (
            [manifest(SMS, features=(Feature("product.use", "A", "sms", "view"),))],
            "feature 'product.use': this is an action of 'every product' already",
        ),
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
        ({}, {}),
        ({"product": "sms"}, {"product": "sms"}),
        ({"product": "sms", "section": "sms"}, {"section": "sms"}),
        ({"product": "telephony", "item": "number:a"}, {"section": "telephony.numbers", "item": "number:a"}),
        ({"product": "telephony", "feature": "call.route"}, {"section": "telephony", "feature": "call.route"}),
        ({"feature": "sms.send"}, {"section": "sms", "feature": "sms.send"}),
        ({"item": "number:a"}, {"section": "telephony.numbers", "item": "number:a"}),
        ({"contract": "7", "tenant": "acme"}, {"contract": "7", "tenant": "acme"}),
        (
            {"product": "sms", "section": "sms", "contract": "7", "tenant": "acme"},
            {"section": "sms", "contract": "7", "tenant": "acme"},
        ),
        ({"product": "fax"}, None),
        ({"product": "sms", "section": "contacts"}, None),
        ({"product": "sms", "item": "number:a"}, None),
        ({"product": "sms", "feature": "call.route"}, None),
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


@pytest.mark.parametrize(
    ("kind", "name", "path"),
    [
        ("number", "a", ("number:a", "telephony.numbers", "telephony", "/telephony", "/")),
        ("number", "", ("number:", "telephony.numbers", "telephony", "/telephony", "/")),
        ("section", "telephony.numbers", ("telephony.numbers", "telephony", "/telephony", "/")),
        ("section", "sms", ("sms", "/sms", "/")),
        ("product", "sms", ("/sms", "/")),
        ("section", "fax", None),
        ("section", "/sms", None),
        ("product", "fax", None),
        ("product", "/sms", None),
        ("fax", "a", None),
    ],
)
def test_a_resource_lies_in_its_places_from_the_inside_out(kind: str, name: str, path: tuple[str, ...] | None) -> None:
    assert CATALOGUE.path(kind, name) == path


@pytest.mark.parametrize(
    ("target", "place"),
    [
        (Target(), "/"),
        (Target(product="telephony"), "/telephony"),
        (Target(section="telephony.numbers"), "telephony.numbers"),
        (Target(section="telephony.numbers", item="number:a"), "number:a"),
    ],
)
def test_the_path_of_a_target_begins_at_its_place_and_ends_with_everything(target: Target, place: str) -> None:
    path = CATALOGUE.path_of(target)
    assert (path[0], path[-1]) == (place, "/")


def test_a_product_may_be_empty() -> None:
    empty = Catalogue.from_manifests([manifest(product="fax")])
    assert empty.path("product", "fax") == ("/fax", "/")
    assert empty.canonical(Target(product="fax")) == Target(product="fax")


def test_the_innermost_place_is_named_whatever_the_places_are_called() -> None:
    outer, inner = Section("z", "Z"), Section("a", "A", "z", ("inbox",))
    catalogue = Catalogue.from_manifests([manifest(outer, inner, features=(Feature("b", "B", "a", "view"),))])
    assert catalogue.canonical(Target(section="z", feature="b")) == Target(section="a", feature="b")
    assert catalogue.canonical(Target(section="z", item="inbox:x")) == Target(section="a", item="inbox:x")


def test_whose_an_item_is_matters_where_the_manifest_does_not_say_otherwise() -> None:
    assert {"inbox", "number", "contact"} <= CATALOGUE.owned
    assert "channel" not in CATALOGUE.owned
    assert CATALOGUE.holders["channel"] == "channels"


def test_a_subscriber_link_is_good_for_two_features() -> None:
    assert sorted(name for name, action in CATALOGUE.actions.items() if action.linked) == [
        "call.click",
        "recording.listen",
    ]
