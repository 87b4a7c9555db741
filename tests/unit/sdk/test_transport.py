"""How the clients ask, over a wire and over a session of aiohttp alike: what is safe is asked again, what was refused
says why, and everything else is "away"."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any
from uuid import UUID, uuid4

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from staffgate import trace
from staffgate.client import AuthzClient, NotifyClient, Patience, Refused, ServiceAway, Session, StaffClient, Wire
from staffgate.contracts.changes import ResetGrants
from staffgate.contracts.identity import AddStaff
from staffgate.decision import Question
from tests.unit.sdk.servers import served

ALLOWED = {"decision": True, "context": {"reason": "role", "visible": True, "revision": 7, "news": 1}}
QUICK = Patience(connect=0.5, answer=0.5, total=1.0)


class Service:
    """Answers in turn what it was told to, the last for ever. `pause` is before each answer."""

    def __init__(self) -> None:
        self.answers: list[tuple[int, Any]] = [(200, ALLOWED)]
        self.headers: dict[str, str] = {}
        self.asked: list[tuple[str, dict[str, str], bytes]] = []
        self.at: list[float] = []
        self.pause = asyncio.Event()
        self.pause.set()
        self.url = ""

    async def answer(self, request: web.Request) -> web.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        self.asked.append((f"{request.method} {request.path_qs}", headers, await request.read()))
        self.at.append(time.monotonic())
        await self.pause.wait()
        status, body = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(body, str):
            return web.Response(status=status, text=body, headers=self.headers)
        return web.json_response(body, status=status, headers=self.headers)

    def sent(self, name: str) -> list[str]:
        return [headers.get(name.lower(), "") for _, headers, _ in self.asked]


class OwnToken:
    """A new one for each that is refused."""

    def __init__(self) -> None:
        self.number = 1

    async def __call__(self) -> str:
        return f"token-{self.number}"

    def refused(self, token: str) -> None:
        if token == f"token-{self.number}":
            self.number += 1


async def token() -> str:
    return "token"


@pytest_asyncio.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    async with served(service.answer) as service.url:
        yield service


@pytest_asyncio.fixture(params=["wire", "aiohttp"])
async def session(request: pytest.FixtureRequest) -> AsyncIterator[Session]:
    async with Wire() if request.param == "wire" else aiohttp.ClientSession() as session:
        yield session


@pytest.fixture
def client(session: Session, service: Service) -> AuthzClient:
    return AuthzClient(session, service.url, token)


async def allowed(client: AuthzClient) -> bool:
    return await client.allowed(uuid4(), "sms.read", "inbox", "sales")


# --- answers --------------------------------------------------------------------------------------------------


async def test_what_is_behind_a_decision_is_told_and_news_are_ignored(client: AuthzClient, service: Service) -> None:
    rule = uuid4()
    service.answers = [(200, ALLOWED), (200, {"decision": False, "context": {"rule": str(rule), "rows": "full"}})]
    ruling = await client.decide(uuid4(), "sms.read", "inbox", "sales")
    assert (ruling.allowed, ruling.reason, ruling.visible, ruling.revision) == (True, "role", True, 7)
    ruling = await client.decide(uuid4(), "sms.read", "inbox", "sales")
    assert (ruling.allowed, ruling.rule, ruling.rows) == (False, rule, "full")


@pytest.mark.parametrize(
    "body", ["", "no JSON", "[1]", '{"decision": "yes"}', '{"decision": true, "context": {"visible": 1}}', "\xff",
             "[" * 5000],
)  # fmt: skip
async def test_an_answer_that_is_none_allows_nothing(client: AuthzClient, service: Service, body: str) -> None:
    service.answers = [(200, body)]
    with pytest.raises(ServiceAway):
        await client.decide(uuid4(), "sms.read", "inbox", "sales")


async def test_an_answer_to_another_number_of_questions_is_none(client: AuthzClient, service: Service) -> None:
    service.answers = [(200, {"evaluations": [ALLOWED]})]
    asked = Question(action="sms.read", type="inbox", id="sales")
    assert [one.allowed for one in await client.decide_many(uuid4(), [asked])] == [True]
    with pytest.raises(ServiceAway):
        await client.decide_many(uuid4(), [asked, asked])


async def test_a_denial_that_tells_nothing_shows_nothing(client: AuthzClient, service: Service) -> None:
    service.answers = [(200, {"decision": False})]
    ruling = await client.decide(uuid4(), "sms.read", "inbox", "sales")
    assert (ruling.allowed, ruling.visible) == (False, False)


async def test_what_is_refused_is_refused_at_once_and_says_why(client: AuthzClient, service: Service) -> None:
    problem = {"type": "urn:staffgate:problem:others", "title": "Others", "status": 403, "instance": "/",
               "detail": "Ask about yourself.", "at": "$.subject"}  # fmt: skip
    service.answers, service.headers = [(403, problem)], {"X-Request-ID": "0af7651916cd43dd"}
    with pytest.raises(Refused, match="Ask about yourself") as fault:
        await allowed(client)
    refused = fault.value
    assert (refused.status, refused.code, refused.detail) == (403, "others", "Ask about yourself.")
    assert (refused.request_id, refused.extras, refused.retry_after) == ("0af7651916cd43dd", {"at": "$.subject"}, None)
    assert len(service.asked) == 1


@pytest.mark.parametrize("body", ["<html>", "[]", "", "\xff", '"no"'])
async def test_a_refusal_that_is_no_problem_is_one_all_the_same(
    client: AuthzClient, service: Service, body: str
) -> None:
    service.answers = [(404, body)]
    with pytest.raises(Refused) as fault:
        await allowed(client)
    assert (fault.value.status, fault.value.code) == (404, "")


async def test_a_fault_of_the_service_says_where_to_look(client: AuthzClient, service: Service) -> None:
    service.answers, service.headers = [(500, {"detail": "our fault"})], {"X-Request-ID": "77"}
    with pytest.raises(ServiceAway, match="500 our fault") as fault:
        await allowed(client)
    assert fault.value.request_id == "77"


async def test_nobody_is_followed_elsewhere_with_a_token(client: AuthzClient, service: Service) -> None:
    service.answers, service.headers = [(307, "")], {"Location": f"{service.url}/elsewhere"}
    with pytest.raises(ServiceAway, match="307"):
        await client.change([ResetGrants(staff=uuid4())])
    assert len(service.asked) == 1


# --- again ----------------------------------------------------------------------------------------------------


async def test_a_question_is_asked_again_and_a_change_is_not(client: AuthzClient, service: Service) -> None:
    service.answers = [(503, {}), (500, "oh"), (200, ALLOWED)]
    assert await allowed(client)
    assert len(service.asked) == 3
    service.answers, service.asked = [(503, {})], []
    with pytest.raises(ServiceAway):
        await client.change([ResetGrants(staff=uuid4())])
    assert len(service.asked) == 1


async def test_the_tries_are_counted(session: Session, service: Service) -> None:
    service.answers = [(503, {})]
    for tries in (1, 2, 4):
        service.asked = []
        client = AuthzClient(session, service.url, token, patience=Patience(tries=tries))
        with pytest.raises(ServiceAway):
            await allowed(client)
        assert len(service.asked) == tries


@pytest.mark.parametrize("status", [503, 429, 409])
async def test_later_is_not_before_then(client: AuthzClient, service: Service, status: int) -> None:
    service.answers, service.headers = [(status, {}), (200, ALLOWED)], {"Retry-After": "1"}
    assert await allowed(client)
    assert 1.0 <= service.at[1] - service.at[0] < 5


@pytest.mark.parametrize(("status", "kind"), [(429, Refused), (503, ServiceAway)])
async def test_who_is_told_to_come_back_after_their_patience_is_told_at_once(
    client: AuthzClient, service: Service, status: int, kind: type[Refused | ServiceAway]
) -> None:
    service.answers, service.headers = [(status, {})], {"Retry-After": "60"}
    with pytest.raises(kind) as fault:
        await allowed(client)
    assert (fault.value.retry_after, len(service.asked)) == (60, 1)


async def test_what_changes_something_does_not_come_later_by_itself(client: AuthzClient, service: Service) -> None:
    service.answers, service.headers = [(429, {})], {"Retry-After": "0"}
    with pytest.raises(Refused):
        await client.change([ResetGrants(staff=uuid4())])
    assert len(service.asked) == 1


async def test_no_answer_in_time_is_none(session: Session, service: Service) -> None:
    """Each try has its time, and all of them together theirs."""
    service.pause.clear()
    client, began = AuthzClient(session, service.url, token, patience=QUICK), time.monotonic()
    with pytest.raises(ServiceAway):
        await allowed(client)
    assert 0.9 <= time.monotonic() - began < 3
    assert 2 <= len(service.asked) <= 3
    service.pause.set()


async def test_who_is_not_there_is_away(session: Session) -> None:
    with pytest.raises(ServiceAway):
        await allowed(AuthzClient(session, "http://127.0.0.1:1", token))


async def test_what_was_surely_not_sent_is_sent_again_whatever_it_is(service: Service) -> None:
    class Line:
        tried = 0

        async def send(self, *_request: Any) -> Any:
            self.tried += 1
            raise ServiceAway("refused", unsent=self.tried < 2)

    async with Wire() as wire:
        client, line = AuthzClient(wire, service.url, token), Line()
        client._transport._line = line
        with pytest.raises(ServiceAway):
            await client.change([ResetGrants(staff=uuid4())])
    assert line.tried == 2


async def test_a_closed_port_has_surely_got_nothing(session: Session) -> None:
    with pytest.raises(ServiceAway) as fault:
        await AuthzClient(session, "http://127.0.0.1:1", token).catalogue()
    assert fault.value.unsent


# --- once -----------------------------------------------------------------------------------------------------

STAFF = {
    "id": str(UUID(int=7)), "type": "standard", "status": "invited", "locked": False, "username": "Jane",
    "extension": None, "name": "Jane", "email": "jane@acme.example", "mobile": None, "locale": None, "portal": True,
    "default_level": "deny", "route_anywhere": False, "roles": [], "team": None, "availability": "offline",
    "activation": "not_sent", "activation_sent_at": None, "activation_sent_count": 0, "weblink": None,
    "unreachable": [], "version": 1,
}  # fmt: skip
JANE = AddStaff(type="standard", name="Jane", email="jane@acme.example", username="Jane")


async def test_what_makes_something_goes_under_one_key_however_often_it_is_sent(
    session: Session, service: Service
) -> None:
    people = StaffClient(session, service.url, token)
    service.answers = [(503, {}), (409, {"type": "urn:staffgate:problem:in_flight"}), (201, STAFF)]
    service.headers = {"Retry-After": "0"}
    assert (await people.add(JANE)).name == "Jane"
    first, *others = service.sent("Idempotency-Key")
    assert UUID(first).version == 4
    assert others == [first, first]
    assert len({body for _, _, body in service.asked}) == 1
    await people.add(JANE)
    assert service.sent("Idempotency-Key")[-1] != first
    await people.add(JANE, key="the import's 7th line")
    assert service.sent("Idempotency-Key")[-1] == "the import's 7th line"


async def test_only_where_it_is_honoured(client: AuthzClient, session: Session, service: Service) -> None:
    """Elsewhere it would promise what nobody keeps."""
    service.answers = [(200, {"outcomes": [], "revision": 1}), (204, "")]
    await client.change([ResetGrants(staff=uuid4())])
    await NotifyClient(session, service.url, token).replay(uuid4())
    assert service.sent("Idempotency-Key") == ["", ""]


# --- who asks -------------------------------------------------------------------------------------------------

STALE = (401, {"type": "urn:staffgate:problem:token_refused", "detail": "expired"})


async def test_a_token_that_is_refused_is_another_one_the_next_time(session: Session, service: Service) -> None:
    client = AuthzClient(session, service.url, OwnToken())
    service.answers = [STALE, (200, ALLOWED)]
    assert await allowed(client)
    assert service.sent("Authorization") == ["Bearer token-1", "Bearer token-2"]
    service.answers, service.asked = [STALE, (200, {"outcomes": [], "revision": 1})], []
    await client.change([ResetGrants(staff=uuid4())])  # it was refused before anything was done
    assert service.sent("Authorization") == ["Bearer token-2", "Bearer token-3"]


async def test_a_token_is_renewed_once(session: Session, service: Service) -> None:
    service.answers = [STALE]
    with pytest.raises(Refused, match="token_refused"):
        await allowed(AuthzClient(session, service.url, OwnToken()))
    assert len(service.asked) == 2


async def test_another_s_token_is_theirs_to_renew(client: AuthzClient, service: Service) -> None:
    service.answers = [STALE]
    with pytest.raises(Refused, match="token_refused"):
        await allowed(client)
    assert len(service.asked) == 1


async def test_another_refusal_is_no_matter_of_the_token(session: Session, service: Service) -> None:
    service.answers = [(401, {"type": "urn:staffgate:problem:insufficient_user_authentication"})]
    with pytest.raises(Refused):
        await allowed(AuthzClient(session, service.url, OwnToken()))
    assert len(service.asked) == 1


@pytest.mark.parametrize("bad", ["a\r\nX-Evil: 1", "a b", "a\0", "ä", "a\nb"])
async def test_a_token_that_would_be_another_header_is_none(session: Session, service: Service, bad: str) -> None:
    async def given() -> str:
        return bad

    with pytest.raises(Refused, match="token_refused"):
        await allowed(AuthzClient(session, service.url, given))
    assert service.asked == []


# --- the trace ------------------------------------------------------------------------------------------------

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_requests_belong_to_the_trace_of_what_they_are_made_for(client: AuthzClient, service: Service) -> None:
    async def one(parent: str | None) -> str:
        trace_id = trace.follow(parent)
        await allowed(client)
        await allowed(client)
        return trace_id

    trace.current.set("")  # what other tests followed
    ids = [await asyncio.create_task(one(parent)) for parent in (PARENT, None, "00-nonsense")]
    sent = service.sent("Traceparent")
    assert [one.split("-")[1] for one in sent] == [ids[0], ids[0], ids[1], ids[1], ids[2], ids[2]]
    assert ids[0] == "0af7651916cd43dd8448eb211c80319c"
    assert sent[0].split("-")[2] != "b7ad6b7169203331", "the span is the product's own"
    assert len({*ids}) == 3
    await allowed(client)
    await allowed(client)
    loose = [one.split("-")[1] for one in service.sent("Traceparent")[6:]]
    assert len({*loose, *ids}) == 5, "without a trace each is its own"
    assert all(len(one.split("-")[2]) == 16 for one in service.sent("Traceparent"))
