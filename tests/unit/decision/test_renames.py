"""What is called otherwise from now on means what it meant: to what is stored, and to whoever still asks by the old name."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from staffgate.contracts.authz import Target
from staffgate.decision import BadManifest, Catalogue, Feature, Manifest, Question, Section, decide, resolve, row_filter
from staffgate.decision.manifest import Aliases
from tests.unit.decision.worlds import World, complete, some, worlds

KEPT = {"call.route", "call.click", "recording.listen", "channel.operate", "portal.login", "channel"}
NOW = "anew"


def renamed(manifests: Iterable[Manifest], what: str, old: str, now: str = NOW) -> list[Manifest]:
    """Every manifest as its product would publish it after calling one thing otherwise."""

    def name(kind: str, present: Any) -> Any:
        return now if kind == what and present == old else present

    made = []
    for manifest in manifests:
        sections = tuple(
            replace(
                section,
                name=name("sections", section.name),
                parent=name("sections", section.parent),
                items=tuple(name("items", kind) for kind in section.items),
            )
            for section in manifest.sections
        )
        features = tuple(
            replace(feature, name=name("features", feature.name), section=name("sections", feature.section))
            for feature in manifest.features
        )
        aliases = manifest.aliases
        if (sections, features) != (manifest.sections, manifest.features):
            aliases = replace(aliases, **{what: {**getattr(aliases, what), old: now}})
        made.append(replace(manifest, sections=sections, features=features, aliases=aliases))
    return made


def names(catalogue: Catalogue) -> list[tuple[str, str]]:
    every = [("sections", name) for name in catalogue.sections]
    every += [("features", name) for name in catalogue.features]
    every += [("items", name) for name in catalogue.holders]
    return [(what, name) for what, name in every if name not in KEPT]


def translated(question: Question, before: Catalogue, what: str, old: str) -> Question:
    """As somebody asks who knows the new name only."""

    def resource(kind: Any, id: Any) -> tuple[Any, Any]:
        if what == "items" and kind == old:
            return NOW, id
        return kind, NOW if what == "sections" and kind == "section" and id == old else id

    action = question.action
    if what == "features" and action == old:
        action = NOW
    section, _, base = action.rpartition(".")
    if what == "sections" and section == old and action not in before.features:
        action = f"{NOW}.{base}"
    properties, to = question.properties, question.properties.get("destination")
    if isinstance(to, dict) and {"type", "id"} <= to.keys():
        kind, id = resource(to["type"], to["id"])
        properties = {**properties, "destination": {**to, "type": kind, "id": id}}
    return Question(action, *resource(question.type, question.id), properties)


def decided(world: World, catalogue: Catalogue, questions: Iterable[Question]) -> list[tuple[Any, ...]]:
    snapshot = resolve(world.facts, catalogue)
    verdicts = [decide(snapshot, catalogue, question) for question in questions]
    return [
        (v.allowed, v.reason, v.visible, v.rule, v.reach, v.target and catalogue.canonical(v.target)) for v in verdicts
    ]


@some
@given(worlds(), st.data())
def test_another_name_changes_no_decision(world: World, data: st.DataObject) -> None:
    before = world.catalogue
    what, old = data.draw(st.sampled_from(names(before)))
    after = Catalogue.from_manifests(renamed(world.manifests, what, old))
    asked = [complete(world, question) for question in world.questions]
    was = [(*one[:-1], one[-1] and after.canonical(one[-1])) for one in decided(world, before, asked)]
    assert decided(world, after, asked) == was, "asked by the old name"
    asked = [translated(question, before, what, old) for question in asked]
    assert decided(world, after, asked) == was, "asked by the new one"


@some
@given(worlds(), st.data())
def test_another_name_changes_no_rows(world: World, data: st.DataObject) -> None:
    before = world.catalogue
    what, old = data.draw(st.sampled_from(names(before)))
    after = Catalogue.from_manifests(renamed(world.manifests, what, old))
    for question in world.questions:
        items = [item for item in world.items.values() if item.type == question.type]
        was = row_filter(resolve(world.facts, before), before, question, items)
        for again in (question, translated(question, before, what, old)):
            assert row_filter(resolve(world.facts, after), after, again, items) == was


@some
@given(worlds(), st.data())
def test_names_that_were_changed_twice_are_followed_to_the_end(world: World, data: st.DataObject) -> None:
    before = world.catalogue
    what, old = data.draw(st.sampled_from(names(before)))
    twice = renamed(renamed(world.manifests, what, old, "between"), what, "between")
    after, once = Catalogue.from_manifests(twice), Catalogue.from_manifests(renamed(world.manifests, what, old))
    assert decided(world, after, world.questions) == decided(world, once, world.questions)


# --- what is refused ------------------------------------------------------------------------------------------

SMS = Manifest(
    "sms",
    "SMS",
    (Section("messages", "Messages", items=("mailbox",)),),
    (Feature("messages.send", "Send", "messages", "create"),),
)
CONTACTS = Manifest("contacts", "Contacts", (Section("contacts", "Contacts", items=("contact",)),))


def aliased(**aliases: dict[str, str]) -> Manifest:
    return replace(SMS, aliases=Aliases(**aliases))


@pytest.mark.parametrize(
    ("manifest", "complaint"),
    [
        (aliased(sections={"sms": "fax"}), "alias 'sms': the product has no section 'fax'"),
        (aliased(sections={"sms": "contacts"}), "alias 'sms': the product has no section 'contacts'"),
        (aliased(features={"send": "mailbox"}), "alias 'send': the product has no feature 'mailbox'"),
        (aliased(items={"inbox": "messages"}), "alias 'inbox': the product has no item type 'messages'"),
        (aliased(sections={"a": "b", "b": "a"}), "alias 'a': it goes round in a circle"),
        (aliased(sections={"a": "a"}), "alias 'a': it goes round in a circle"),
        (aliased(sections={"a": "b", "b": "c", "c": "b"}), "alias 'a': it goes round in a circle"),
        (aliased(sections={"contacts": "messages"}), "alias 'contacts': this is a present section as well"),
        (aliased(items={"contact": "mailbox"}), "alias 'contact': this is a present item type as well"),
        (aliased(sections={"old": "messages"}), "alias 'old': another product has it already"),
        (aliased(features={"call.route": "messages.send"}), "alias 'call.route': the model knows this feature by"),
        (aliased(items={"channel": "mailbox"}), "alias 'channel': the model knows this item type by"),
        (aliased(items={"section": "mailbox"}), "alias 'section': the model knows this item type by"),
        (
            aliased(features={"contacts.view": "messages.send"}),
            "alias 'contacts.view': this is an action of 'contacts'",
        ),
        (aliased(features={"old.view": "messages.send"}), "alias 'old.view': this is an action of 'contacts' already"),
        (aliased(sections={"a b": "messages"}), "manifest of 'sms': Expected `str` matching"),
    ],
)
def test_aliases_that_lead_nowhere_or_to_something_else_are_refused(manifest: Manifest, complaint: str) -> None:
    contacts = replace(CONTACTS, aliases=Aliases(sections={"old": "contacts"}))
    with pytest.raises(BadManifest) as refused:
        Catalogue.from_manifests([contacts, manifest])
    assert str(refused.value).startswith(complaint)


def test_an_alias_leads_to_the_end_of_its_chain() -> None:
    catalogue = Catalogue.from_manifests(
        [
            aliased(
                sections={"sms": "texts", "texts": "messages"},
                items={"inbox": "mailbox"},
                features={"s": "messages.send"},
            )
        ]
    )
    target = Target(section="sms", feature="s", item="inbox:sales")
    assert catalogue.canonical(target) == Target(section="messages", feature="messages.send", item="mailbox:sales")
    assert catalogue.path("inbox", "sales") == ("mailbox:sales", "messages", "/sms", "/")
    assert catalogue.path("section", "texts") == ("messages", "/sms", "/")
    assert (catalogue.kind("inbox"), catalogue.kind("fax")) == ("mailbox", None)
    assert catalogue.kinds("mailbox") == ["mailbox", "inbox"]
    assert catalogue.actions["texts.view"] is catalogue.actions["messages.view"]


def test_sections_lie_inside_one_another_only_so_deep() -> None:
    deep = [Section(f"s{n}", "Deep", f"s{n - 1}" if n else None) for n in range(17)]
    assert Catalogue.from_manifests([Manifest("deep", "Deep", tuple(deep[:16]))])
    with pytest.raises(BadManifest, match="more than 16 sections inside one another"):
        Catalogue.from_manifests([Manifest("deep", "Deep", tuple(deep))])
