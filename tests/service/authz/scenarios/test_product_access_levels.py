"""The text on access to products: per Agreement No. and product, who may appoint whom, and the link to a subscriber."""

from __future__ import annotations

import pytest

from tests.service.authz.conftest import Authz
from tests.service.authz.scenarios.stage import OWNER, Company, change, founded, step

# As the page of an agreement lists them, and what they are called here; and a section of each.
PRODUCTS = {
    "System [CORE]": ("core", "core.organisation"),
    "Telephony": ("telephony", "telephony.settings"),
    "Virtual PBX": ("virtual-pbx", "pbx.settings"),
    "Automated calls": ("automated-calls", "autocalls"),
    "Chatbots": ("chatbots", "chatbots"),
    "Integrations and API v2.0": ("integrations", "integrations.api"),
    "Contact Center AI": ("contact-center-ai", "ccai.transcripts"),
}
KEYS = [product for product, _ in PRODUCTS.values()]
LEVELS = ("without", "user", "administrator", "owner")
EVERYTHING = "view create edit delete download approve"
SHOWN = {"without": "", "user": "view", "administrator": EVERYTHING}


@pytest.fixture
async def company(authz: Authz) -> Company:
    """Two concluded contracts: 7 with all the products, 8 with Telephony alone."""
    company = await founded(authz, "Millennium")
    await company.hire("Jane", "Luke", "Laya")
    await company.hire("Ray", type="administrator")
    await company.change("add_contract", key="7", label="Agreement No. 7", products=KEYS)
    await company.change("add_contract", key="8", label="Agreement No. 8", products=["telephony"])
    return company


async def give(company: Company, name: str, level: str, *products: str, contract: str = "7", by: str = "") -> None:
    levels = [change("set_access", staff=name, contract=contract, product=one, level=level) for one in products or KEYS]
    await company.change_all(*levels, by=by)


async def appointed(company: Company, by: str, level: str, product: str = "core") -> bool:
    """Whether the level could be set for Jane; what was there before is there again afterwards."""
    wanted = {"staff": "Jane", "contract": "7", "product": product, "level": level}
    answer = await company.ask(by, "PUT", "/v1/contracts/7/access/{Jane}/" + product, json={"level": level})
    if answer.status != 200:
        assert answer.problem[0] == 403
        assert await company.refused("set_access", by=by, **wanted) == answer.problem
        return False
    company.revision = answer.json["revision"]
    levels = {row["staff"]: row["levels"] for row in (await company.page(OWNER, "/v1/contracts/7/access"))["people"]}
    assert levels[company["Jane"]][product] == level
    return True


# --- contracts and products -----------------------------------------------------------------------------------


async def test_to_work_with_products_they_must_be_given_access(company: Company) -> None:
    for _, section in PRODUCTS.values():
        assert await company.why("Jane", f"{section}.view", contract="7") == "product_access"
    await give(company, "Jane", "user", "telephony")
    assert await company.may("Jane", "telephony.settings.view", contract="7")


async def test_access_is_set_up_separately_for_each_concluded_contract(company: Company) -> None:
    await give(company, "Jane", "user", "telephony", contract="7")
    assert await company.level("Jane", "telephony.settings", contract="7") == "view"
    assert await company.level("Jane", "telephony.settings", contract="8") == ""
    await give(company, "Jane", "administrator", "telephony", contract="8")
    assert await company.level("Jane", "telephony.settings", contract="7") == "view"
    assert await company.level("Jane", "telephony.settings", contract="8") == EVERYTHING
    with step("a contract that there is not"):
        assert await company.why("Jane", "telephony.settings.view", contract="9") == "product_access"


async def test_you_can_grant_access_to_one_or_several_products(company: Company) -> None:
    await give(company, "Jane", "user", "telephony")
    await give(company, "Luke", "user", "telephony", "chatbots", "contact-center-ai")
    seen = {name: set() for name in ("Jane", "Luke")}  # type: dict[str, set[str]]
    for name, products in seen.items():
        for product, section in PRODUCTS.values():
            if await company.may(name, f"{section}.view", contract="7"):
                products.add(product)
    assert seen == {"Jane": {"telephony"}, "Luke": {"telephony", "chatbots", "contact-center-ai"}}


@pytest.mark.parametrize("label", PRODUCTS)
async def test_repeat_these_actions_for_each_product(company: Company, label: str) -> None:
    product, section = PRODUCTS[label]
    others = [there for one, there in PRODUCTS.values() if one != product]
    for level, actions in SHOWN.items():
        await company.change("set_access", staff="Jane", contract="7", product=product, level=level)
        assert await company.level("Jane", section, contract="7") == actions
        for other in others:
            assert await company.level("Jane", other, contract="7") == "", "no other product is opened by it"


async def test_users_in_the_selected_contract(company: Company) -> None:
    await give(company, "Jane", "user", "telephony")
    await give(company, "Luke", "administrator", "telephony", contract="8")
    for contract, expected in (("7", {"Jane": {"telephony": "user"}}), ("8", {"Luke": {"telephony": "administrator"}})):
        table = await company.page("Ray", f"/v1/contracts/{contract}/access")
        rows = {row["staff"]: row["levels"] for row in table["people"]}
        assert rows.keys() == {company[name] for name in company.people}
        named = {name: rows[company[name]] for name in company.people if rows[company[name]]}
        assert named == expected


# --- the four levels ------------------------------------------------------------------------------------------


async def test_without_access_can_use_the_product_but_not_view_or_edit_data(company: Company) -> None:
    await give(company, "Jane", "without")
    for product, section in PRODUCTS.values():
        assert await company.may("Jane", "product.use", f"product:{product}", contract="7")
        assert await company.level("Jane", section, contract="7") == ""
        assert not await company.sees("Jane", f"{section}.view", contract="7")
    with step("what the contract does not carry nobody uses"):
        assert await company.why("Jane", "product.use", "product:chatbots", contract="8") == "not_subscribed"


async def test_user_the_ability_to_view_the_settings(company: Company) -> None:
    await give(company, "Jane", "user")
    for product, section in PRODUCTS.values():
        assert await company.level("Jane", section, contract="7") == "view"
        assert await company.may("Jane", "product.use", f"product:{product}", contract="7")


async def test_administrator_allows_you_to_change_the_settings(company: Company) -> None:
    await give(company, "Jane", "administrator")
    for _, section in PRODUCTS.values():
        assert await company.level("Jane", section, contract="7") == EVERYTHING


async def test_owner_appointed_at_registration(company: Company) -> None:
    for _, section in PRODUCTS.values():
        assert await company.level(OWNER, section, contract="7") == EVERYTHING
    for by in (OWNER, "Ray"):
        assert await company.refused(
            "set_access", by=by, staff="Jane", contract="7", product="core", level="owner"
        ) == (403, "owner_level")


async def test_a_level_is_taken_away(company: Company) -> None:
    await give(company, "Jane", "administrator", "telephony")
    await company.change("remove_access", staff="Jane", contract="7", product="telephony")
    assert await company.level("Jane", "telephony.settings", contract="7") == ""


async def test_a_level_outlives_the_reset_of_permissions(company: Company) -> None:
    await give(company, "Jane", "user", "telephony")
    await company.change("reset_grants", staff="Jane")
    assert await company.level("Jane", "telephony.settings", contract="7") == "view"


# --- who may appoint whom -------------------------------------------------------------------------------------

# Who has what in System [CORE], and whom they may appoint: "User" and "Administrator"; an Owner "Without access" too.
APPOINTS = {
    "without": (),
    "user": (),
    "administrator": ("user", "administrator"),
    "owner": ("without", "user", "administrator"),
}


@pytest.mark.parametrize("wanted", LEVELS)
@pytest.mark.parametrize("own", LEVELS)
async def test_who_can_create_a_user_with_which_role_in_core(company: Company, own: str, wanted: str) -> None:
    if own != "owner":
        await give(company, "Laya", own)
    by = OWNER if own == "owner" else "Laya"
    assert await appointed(company, by, wanted) is (wanted in APPOINTS[own])


@pytest.mark.parametrize("product", KEYS)
async def test_the_same_in_the_other_products(company: Company, product: str) -> None:
    """Whoever is Administrator of System [CORE] and of the product: as in System [CORE] itself."""
    await give(company, "Laya", "administrator")
    for by in ("Laya", "Ray"):
        assert {level for level in LEVELS if await appointed(company, by, level, product)} == {"user", "administrator"}
    assert {level for level in LEVELS if await appointed(company, OWNER, level, product)} == {*LEVELS} - {"owner"}


async def test_only_available_to_a_user_with_administrator_rights_in_core(company: Company) -> None:
    await give(company, "Luke", "administrator", *(product for product in KEYS if product != "core"))
    with step("Administrator of every other product, and not of System [CORE]"):
        assert {level for level in LEVELS if await appointed(company, "Luke", level, "telephony")} == set()
        assert (await company.ask("Luke", "GET", "/v1/contracts/7/access")).status == 403
    with step("who may edit permissions by a role or a grant is not Administrator of System [CORE] by that"):
        await company.hire("Han", "Vada")
        await company.change("assign_role", staff="Han", role="admin")
        await company.grant("Vada", "full", section="core.permissions", contract="7")
        for name in ("Han", "Vada"):
            assert await company.may(name, "core.permissions.edit", contract="7", owner="Jane")
            assert {level for level in LEVELS if await appointed(company, name, level, "core")} == set()
    with step("with the rights of one contract nothing is set in another"):
        await give(company, "Laya", "administrator")
        for level in LEVELS:
            refusal = await company.refused(
                "set_access", by="Laya", staff="Jane", contract="8", product="telephony", level=level
            )
            assert refusal[0] == 403
    with step("opposite the employee's name: never one's own"):
        refusal = await company.refused(
            "set_access", by="Laya", staff="Laya", contract="7", product="telephony", level="user"
        )
        assert refusal == (403, "own_permissions")


async def test_a_core_administrator_gives_no_more_of_a_product_than_they_have(company: Company) -> None:
    """The text leaves open what a CORE administrator has to have of the product; nobody hands out more than they have."""
    await give(company, "Laya", "administrator", "core")
    await give(company, "Laya", "user", "telephony")
    given = {level for level in LEVELS if await appointed(company, "Laya", level, "telephony")}
    assert given == {"user"}
    assert {level for level in LEVELS if await appointed(company, "Laya", level, "chatbots")} == set()


# --- the subscriber -------------------------------------------------------------------------------------------


async def test_each_user_can_be_linked_to_a_subscriber_of_the_virtual_pbx(company: Company) -> None:
    both = ("recording.listen", "call.click")

    async def may(extension: str, *actions: str) -> set[str]:
        listen = await company.allowed("Jane", "recording.listen", on="recording:1", contract="7", subscriber=extension)
        click = await company.allowed(
            "Jane", "call.click", on=f"extension:{extension}", contract="7", subscriber=extension
        )
        return listen | click

    assert await may("101") == set()
    with step("the user can listen to the call records of this subscriber and use the Click-to-call functionality"):
        await company.change("link_subscriber", staff="Jane", subscriber="101")
        assert await may("101") == set(both)
        assert await company.why("Jane", "recording.listen", subscriber="101") == "subscriber"
    with step("of this subscriber: of no other, and nothing else"):
        assert await may("102") == set()
        assert not await company.may("Jane", "recording.export", contract="7", subscriber="101")
        assert not await company.may("Jane", "pbx.extensions.edit", contract="7", subscriber="101")
    with step("recordings are found by their subscriber"):
        await company.register("recording:monday", subscriber="101")
        await company.register("recording:tuesday", subscriber="102")
        assert await company.finds("Jane", "recording.listen", "recording") == ["monday"]
    with step("and the link is taken away"):
        await company.change("unlink_subscriber", staff="Jane", subscriber="101")
        assert await may("101") == set()
