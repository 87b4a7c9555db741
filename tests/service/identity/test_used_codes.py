"""What identity tells of codes and links, so that somebody can see where they go: which were used, and who asked."""

from __future__ import annotations

from uuid import UUID

import pytest

from staffgate.contracts import identity as contract
from tests.service.identity.conftest import Acme, Running, confirm_mobile, until
from tests.service.identity.possessions import begun, member, sent
from tests.service.identity.post import ask_for_reset, code_to, next_link, opened
from tests.service.identity.test_codes import another, enter
from tests.service.identity.test_contacts import confirm, proposed


async def used(identity: Running, code: UUID) -> contract.CodeUsed:
    """What is told of it, once that is told."""
    found: list[contract.CodeUsed] = await until(
        lambda: [one for one in identity.heard.of(contract.CodeUsed) if one.code == code]
    )
    return found[0]


@pytest.mark.checklist("N03")
@pytest.mark.parametrize("factor", ["sms", "email"])
async def test_a_code_that_was_right_is_told_of_and_one_that_was_wrong_is_not(acme: Acme, factor: str) -> None:
    identity, jane = acme.identity, await member(acme, mobile="+61491570006")
    await confirm_mobile(identity, jane.staff)
    transaction = (await begun(identity, jane.login))["transaction"]
    code = await sent(identity, transaction, factor)
    assert (await enter(identity, transaction, another(code), factor)).status == 401
    assert (await enter(identity, transaction, code, factor)).status == 200
    issued = identity.heard.of(contract.CodeIssued)[-1]
    told = await used(identity, issued.code)
    assert (told.org, told.staff, told.channel) == (issued.org, jane.staff, factor)
    assert [one.code for one in identity.heard.of(contract.CodeUsed)].count(issued.code) == 1


@pytest.mark.checklist("N03")
async def test_a_code_that_confirms_a_number_is_told_of_too(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    transaction = (await proposed(identity, jane.token)).json["transaction"]
    assert (await confirm(identity, jane.token, transaction, code_to(identity).code)).status == 204
    assert (await used(identity, identity.heard.of(contract.CodeIssued)[-1].code)).channel == "sms"


@pytest.mark.checklist("N01")
async def test_codes_and_links_say_where_they_were_asked_for_and_only_notify_reads_it(acme: Acme) -> None:
    identity, jane = acme.identity, await member(acme)
    await sent(identity, (await begun(identity, jane.login))["transaction"])
    assert code_to(identity).ip == "127.0.0.1"
    before = len(identity.heard.of(contract.LinkIssued))
    assert (await ask_for_reset(identity, jane.login)).status == 202
    await next_link(identity, before)
    assert opened(identity, identity.heard.of(contract.LinkIssued)[-1]).ip == "127.0.0.1"
    assert b"127.0.0.1" not in b"".join(identity.heard.bodies)
