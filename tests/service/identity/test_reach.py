"""Whom messages do not reach: shown beside the account, told to administrators, and over when one arrives again."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest

from shared.bus.envelope import encode
from shared.bus.port import Message
from shared.bus.topology import IDENTITY_MESSAGES
from shared.ids import RandomIds
from staffgate.contracts import identity as contract
from staffgate.contracts.event import Event
from staffgate.contracts.identity import NoticeKind
from staffgate.contracts.notify import MessageBounced, MessageDelivered, MessageFailed, Reason, SuppressionChanged
from tests.service.identity.conftest import Acme, log_in, register, run_as_owner, sign_in
from tests.service.identity.post import activation_link, email_link, notices

IDS = RandomIds()
LATER = (timedelta(milliseconds=number) for number in itertools.count())
CHANNELS: dict[Any, tuple[str, str]] = {contract.LinkIssued: ("email", "link"), contract.NoticeIssued: ("email", "notice"), contract.CodeIssued: ("", "code")}  # fmt: skip


async def tell(acme: Acme, *events: Event) -> None:
    """As notify does, over the bus, one after the other; and each happened after the one before."""
    identity = acme.identity
    for event in events:
        id = IDS.uuid()
        message = Message(id=str(id), type=event.type, body=encode(event, id, identity.clock.now() + next(LATER)))
        assert all(await identity.bus.publish([message]))
        async with asyncio.timeout(30):
            while not await run_as_owner(identity, "SELECT 1 FROM inbox WHERE event_id = $1", id):
                await asyncio.sleep(0.005)
    assert (await identity.bus.counts())[IDENTITY_MESSAGES.name] == 0, "parked"


def became(kind: type[Any], issued: Any, **more: Any) -> Any:
    """What became of a message that identity had promised."""
    channel, id = CHANNELS[type(issued)]
    template = {"link": "purpose", "notice": "kind"}.get(id)
    named = str(getattr(issued, template)) if template else "code"
    return kind(
        org=issued.org,
        staff=issued.staff,
        message=getattr(issued, id),
        channel=channel or issued.channel,
        template=f"notice.{named}" if id == "notice" else named,
        security=True,
        contact=issued.contact,
        **more,
    )


def bounced(issued: Any, reason: Reason = Reason.BOUNCED, **more: Any) -> MessageBounced:
    return became(MessageBounced, issued, reason=reason, **more)  # type: ignore[no-any-return]


def failed(issued: Any, reason: Reason, **more: Any) -> MessageFailed:
    return became(MessageFailed, issued, reason=reason, **more)  # type: ignore[no-any-return]


async def invited(acme: Acme, username: str = "Jane", **more: Any) -> tuple[UUID, contract.LinkIssued]:
    staff = await acme.add(username, **more)
    await activation_link(acme, staff)
    return staff, acme.identity.heard.of(contract.LinkIssued)[-1]


async def shown(acme: Acme, staff: UUID) -> Any:
    answer = await acme.identity.ask("GET", f"/v1/staff/{staff}", token=acme.ray)
    assert answer.status == 200, answer.text
    return answer.json


async def unreachable(acme: Acme, staff: UUID) -> list[tuple[str, str]]:
    return [(one["channel"], one["reason"]) for one in (await shown(acme, staff))["unreachable"]]


async def told_of(acme: Acme, count: int) -> list[contract.NoticeMessage]:
    """The notices about people who can't be reached, of which there are so many and no more once the outbox is empty."""
    waiting = "SELECT count(*) FROM outbox WHERE published_at IS NULL"
    async with asyncio.timeout(30):
        while (await run_as_owner(acme.identity, waiting))[0][0]:
            await asyncio.sleep(0.005)
    found = notices(acme.identity, NoticeKind.UNDELIVERABLE)
    assert len(found) == count
    return found


# --- what is shown ----------------------------------------------------------------------------------------------


async def test_who_can_not_be_reached_is_shown_until_a_message_arrives(acme: Acme) -> None:
    jane, link = await invited(acme)
    luke, _ = await invited(acme, "Luke")
    assert await unreachable(acme, jane) == []
    since = acme.identity.clock.now()
    await tell(acme, bounced(link))
    acme.identity.clock.advance(minutes=2)
    await tell(acme, failed(link, Reason.SUPPRESSED))
    (found,) = (await shown(acme, jane))["unreachable"]
    assert (found["channel"], found["reason"]) == ("email", "bounced"), "the first says why, and since when"
    assert found["since"].startswith(f"{since:%Y-%m-%dT%H:%M}")
    answer = await acme.identity.ask("GET", "/v1/staff?unreachable=true", token=acme.ray)
    assert [one["id"] for one in answer.json["staff"]] == [str(jane)]
    answer = await acme.identity.ask("GET", "/v1/staff?unreachable=false", token=acme.ray)
    assert str(luke) in [one["id"] for one in answer.json["staff"]]
    assert str(jane) not in [one["id"] for one in answer.json["staff"]]
    await tell(acme, became(MessageDelivered, link))
    assert await unreachable(acme, jane) == []


@pytest.mark.parametrize("reason", list(Reason))
async def test_only_what_is_said_of_the_address_makes_it_a_bad_one(acme: Acme, reason: Reason) -> None:
    """A provider's bad day, or a limit, says nothing of the person."""
    jane, link = await invited(acme)
    await tell(acme, failed(link, reason))
    of_the_address = {"rejected", "suppressed", "bounced", "complained", "number_kind", "country"}
    assert await unreachable(acme, jane) == ([("email", reason.value)] if reason in of_the_address else [])


async def test_of_a_new_address_nothing_is_known(acme: Acme) -> None:
    jane, link = await invited(acme, mobile="+61 491 570 006")
    await tell(acme, bounced(link))
    await run_as_owner(
        acme.identity, "UPDATE staff SET mobile_failure = 'rejected', mobile_failed_at = now() WHERE id = $1", jane
    )
    assert await unreachable(acme, jane) == [("email", "bounced"), ("sms", "rejected")]
    for body, left in (
        ({"name": "Jane J"}, [("email", "bounced"), ("sms", "rejected")]),
        ({"email": "jane@new.example"}, [("sms", "rejected")]),
        ({"mobile": None}, []),
    ):
        answer = await acme.identity.ask("PATCH", f"/v1/staff/{jane}", json=body, token=acme.ray)
        assert answer.status == 200, answer.text
        assert await unreachable(acme, jane) == left, body


async def test_what_comes_back_from_a_former_address_says_nothing_of_the_new_one(acme: Acme) -> None:
    """The bounce was on its way while the address was corrected."""
    jane, link = await invited(acme)
    answer = await acme.identity.ask("PATCH", f"/v1/staff/{jane}", json={"email": "jane@new.example"}, token=acme.ray)
    assert answer.status == 200
    await tell(acme, bounced(link))
    assert await unreachable(acme, jane) == []
    await told_of(acme, 0)


async def test_an_address_that_is_only_proposed_is_nobodys_yet(acme: Acme) -> None:
    jane = await sign_in(acme)
    await email_link(acme.identity, jane.token)
    proposed = acme.identity.heard.of(contract.LinkIssued)[-1]
    await tell(acme, bounced(proposed), failed(proposed, Reason.REJECTED))
    assert await unreachable(acme, jane.staff) == []
    await told_of(acme, 0)


async def test_what_names_no_address_changes_nothing(acme: Acme) -> None:
    """A message that was promised before messages carried one, and one that somebody made up."""
    jane, link = await invited(acme)
    for contact in ("", "0" * 32, "\N{BUG}", acme.identity.heard.of(contract.LinkIssued)[0].contact):
        event = MessageBounced(
            org=acme.org, staff=jane, message=link.link, channel="email", template="activate", security=True,
            contact=contact, reason=Reason.BOUNCED,
        )  # fmt: skip
        await tell(acme, event)
    assert await unreachable(acme, jane) == []


async def test_whoever_uses_a_link_reads_what_is_sent_there(acme: Acme) -> None:
    jane, link = await invited(acme)
    await tell(acme, failed(link, Reason.REJECTED))
    answer = await acme.identity.post(
        "/v1/activations", {"token": acme.identity.heard.link(), "password": "a password nobody guesses"}
    )
    assert answer.status == 200, answer.text
    assert await unreachable(acme, jane) == []


async def test_what_became_of_an_invitation_is_shown(acme: Acme) -> None:
    jane = await acme.add()
    seen = [(await shown(acme, jane))["activation"]]
    await activation_link(acme, jane)
    link = acme.identity.heard.of(contract.LinkIssued)[-1]
    seen.append((await shown(acme, jane))["activation"])
    await tell(acme, bounced(link))
    seen.append((await shown(acme, jane))["activation"])
    await tell(acme, became(MessageDelivered, link))
    await run_as_owner(
        acme.identity,
        "UPDATE staff SET activation_sent_at = activation_sent_at - interval '24 hours' WHERE id = $1",
        jane,
    )
    seen.append((await shown(acme, jane))["activation"])
    assert seen == ["not_sent", "sent", "undeliverable", "expired"]


async def test_the_same_of_nobody_and_of_another_organisation_changes_nothing(acme: Acme) -> None:
    jane, link = await invited(acme)
    other = await register(acme.identity, "Other Crates")
    made = bounced(link)
    for org, staff in ((other.org, jane), (acme.org, IDS.uuid()), (IDS.uuid(), IDS.uuid())):
        await tell(
            acme,
            MessageBounced(
                org=org, staff=staff, message=made.message, channel="email", template="activate", security=True,
                contact=made.contact, reason=Reason.BOUNCED,
            ),
        )  # fmt: skip
    assert await unreachable(acme, jane) == []


# --- who is told ------------------------------------------------------------------------------------------------


@pytest.mark.checklist("M11")
async def test_owner_and_administrators_are_told_and_nobody_else(acme: Acme) -> None:
    await sign_in(acme, "Han", type="administrator")
    await sign_in(acme, "Chewie")
    _, link = await invited(acme)
    await tell(acme, failed(link, Reason.SUPPRESSED))
    found = await told_of(acme, 2)
    assert {one.to for one in found} == {"ray@acme.example", "Han@acme.example"}
    assert {(one.facts["colleague"], one.facts["email"], one.facts["sms"]) for one in found} == {("Jane", "1", "")}
    assert all(one.facts["account"].endswith("\\Jane") for one in found)


async def test_of_one_person_they_are_told_once_a_day(acme: Acme) -> None:
    _, link = await invited(acme)
    await tell(acme, *[failed(link, Reason.SUPPRESSED)] * 3)
    await told_of(acme, 1)
    acme.identity.clock.advance(hours=23)
    await tell(acme, failed(link, Reason.SUPPRESSED))
    await told_of(acme, 1)
    acme.identity.clock.advance(hours=2)
    await tell(acme, failed(link, Reason.SUPPRESSED))
    await told_of(acme, 2)


async def test_when_nobody_can_be_reached_ten_notices_say_so(acme: Acme) -> None:
    """A provider's bad day, and hundreds of people who wait for a code."""
    links = [(await invited(acme, f"Person{number}"))[1] for number in range(12)]
    await tell(acme, *[failed(link, Reason.TOO_LATE) for link in links])
    await told_of(acme, 10)


@pytest.mark.checklist("M11")
async def test_that_the_notice_itself_failed_is_told_to_nobody(acme: Acme) -> None:
    """Else two administrators who can't be reached would keep each other busy for ever."""
    han = await sign_in(acme, "Han", type="administrator")
    _, link = await invited(acme)
    await tell(acme, failed(link, Reason.SUPPRESSED))
    await told_of(acme, 2)
    notices_sent = [
        one for one in acme.identity.heard.of(contract.NoticeIssued) if one.kind is NoticeKind.UNDELIVERABLE
    ]
    (to_han,) = [one for one in notices_sent if one.staff == han.staff]
    await tell(acme, bounced(to_han))
    assert await unreachable(acme, han.staff) == [("email", "bounced")]
    await told_of(acme, 2)


async def test_nobody_is_told_of_themselves(acme: Acme) -> None:
    """The owner is alone, and their address is dead: there is nobody to be told, and the log says so."""
    han = await sign_in(acme, "Han", type="administrator")
    code = acme.identity.heard.of(contract.CodeIssued)[-1]
    assert code.staff == han.staff
    await tell(acme, bounced(code))
    (found,) = await told_of(acme, 1)
    assert found.to == "ray@acme.example"


@pytest.mark.checklist("M12")
async def test_what_was_given_up_by_hand_is_no_news_and_stands_in_the_log(acme: Acme) -> None:
    """Who did it, to whose message, and of which kind; by API and file everybody who administers can read it."""
    jane, link = await invited(acme)
    await tell(acme, failed(link, Reason.DROPPED, by=acme.owner_id))
    await told_of(acme, 0)
    answer = await acme.identity.ask("GET", "/v1/audit?event=org_message_dropped", token=acme.ray)
    assert answer.status == 200, answer.text
    (entry,) = answer.json["entries"]
    assert (entry["actor"], entry["target"]) == (str(acme.owner_id), str(jane))
    assert entry["detail"] == {"message": str(link.link), "channel": "email", "template": "activate"}


async def test_what_is_no_matter_of_safety_is_shown_and_not_told(acme: Acme) -> None:
    jane, link = await invited(acme)
    event = bounced(link)
    await tell(
        acme,
        MessageBounced(
            org=event.org, staff=event.staff, message=event.message, channel="email", template="email",
            security=False, contact=event.contact, reason=Reason.BOUNCED,
        ),
    )  # fmt: skip
    assert await unreachable(acme, jane) == [("email", "bounced")]
    await told_of(acme, 0)


# --- what is written down ---------------------------------------------------------------------------------------


async def test_it_stands_in_the_log_without_an_address(acme: Acme) -> None:
    _jane, link = await invited(acme)
    await tell(acme, bounced(link), bounced(link), became(MessageDelivered, link), became(MessageDelivered, link))
    rows = await run_as_owner(
        acme.identity,
        "SELECT event, body FROM audit WHERE org = $1 AND event IN ('user_unreachable', 'user_reachable') ORDER BY number",
        acme.org,
    )
    assert [row["event"] for row in rows] == ["user_unreachable", "user_reachable"]
    assert not [row for row in rows if "acme.example" in row["body"]]


@pytest.mark.checklist("M11")
async def test_who_changed_the_list_of_suppressed_addresses_stands_in_the_log(acme: Acme) -> None:
    jane, link = await invited(acme)
    await tell(acme, bounced(link))
    entry = IDS.uuid()
    changed: dict[str, Any] = {
        "org": acme.org,
        "suppression": entry,
        "channel": "email",
        "reason": "bounced",
        "staff": jane,
    }
    await tell(acme, SuppressionChanged(**changed))
    assert await unreachable(acme, jane) == [("email", "bounced")]
    await tell(acme, SuppressionChanged(**changed, removed=True, by=acme.owner_id))
    assert await unreachable(acme, jane) == [], "an administrator says that it is good again"
    rows = await run_as_owner(
        acme.identity, "SELECT actor, target, body FROM audit WHERE org = $1 AND event = 'org_suppression_changed' ORDER BY number",
        acme.org,
    )  # fmt: skip
    assert [(row["actor"], row["target"]) for row in rows] == [(None, str(jane)), (str(acme.owner_id), str(jane))]
    assert all(str(entry) in row["body"] for row in rows)


async def test_every_message_names_its_address_and_says_nothing_of_it(acme: Acme) -> None:
    """The same for the same person and address, another for anybody else, and no digest that could be guessed."""
    jane = await sign_in(acme)
    await log_in(acme.identity, jane.login)
    heard = acme.identity.heard
    mine = [one.contact for kind in CHANNELS for one in heard.of(kind) if one.staff == jane.staff]
    assert len(mine) >= 3
    assert len(set(mine)) == 1
    assert len(mine[0]) == 32
    luke = await acme.add("Luke", email="Jane@acme.example")
    await activation_link(acme, luke)
    assert heard.of(contract.LinkIssued)[-1].contact != mine[0]
