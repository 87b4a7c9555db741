"""Webhooks as a product verifies them. The first test is the standard's own vector."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from staffgate.contracts.envelope import Envelope
from staffgate.webhooks import ID, SIGNATURE, TIMESTAMP, WebhookRefused, Webhooks, secret_key, signature

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
OTHER = "whsec_" + base64.b64encode(b"another secret of thirty-two by").decode()
NOW = 1_614_265_330
BODY = (
    b'{"id":"0198a5b0-0000-7000-8000-000000000001","source":"/identity","type":"identity.staff.deleted.v1","subject":"x",'
    b'"time":"2026-11-22T09:00:00Z","org":"0198a5b0-0000-7000-8000-000000000002","sequence":3,"data":{}}'
)


def headers(body: bytes = BODY, *, secret: str = SECRET, id: str = "msg_1", at: int = NOW) -> dict[str, str]:
    return {ID: id, TIMESTAMP: str(at), SIGNATURE: signature(secret_key(secret), id, at, body)}


def opened(
    given: dict[str, str], body: bytes = BODY, *, now: float = NOW, secrets: tuple[str, ...] = (SECRET,)
) -> Envelope:
    return Webhooks(secrets, lambda: now).opened(given, body)


def test_signatures_are_those_of_the_standard() -> None:
    made = signature(secret_key(SECRET), "msg_p5jXN8AQM9LWM0D4loKWxJek", NOW, b'{"test": 2432232314}')
    assert made == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_what_is_signed_is_opened() -> None:
    envelope = opened({name.title(): value for name, value in headers().items()})
    assert (envelope.type, envelope.sequence) == ("identity.staff.deleted.v1", 3)


@pytest.mark.parametrize("name", [ID, TIMESTAMP, SIGNATURE])
def test_without_one_of_its_headers_it_is_refused(name: str) -> None:
    with pytest.raises(WebhookRefused, match=name):
        opened({other: value for other, value in headers().items() if other != name})


@pytest.mark.parametrize(
    ("changed", "body"),
    [
        ({ID: "msg_2"}, BODY),
        ({TIMESTAMP: str(NOW + 1)}, BODY),
        ({}, BODY.replace(b"deleted", b"changed")),
        ({}, BODY + b" "),
        ({SIGNATURE: "v1,"}, BODY),
        ({SIGNATURE: ""}, BODY),
        ({SIGNATURE: headers()[SIGNATURE].removeprefix("v1,")}, BODY),
        ({SIGNATURE: headers()[SIGNATURE].replace("v1,", "v1a,")}, BODY),
        ({SIGNATURE: headers(secret=OTHER)[SIGNATURE]}, BODY),
        ({SIGNATURE: "v1,\udcff"}, BODY),
    ],
)
def test_what_was_changed_on_its_way_is_refused(changed: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookRefused, match="not signed"):
        opened(headers() | changed, body)


@pytest.mark.parametrize("seconds", [-301, 301, 86_400])
def test_what_was_recorded_is_not_good_for_ever(seconds: int) -> None:
    with pytest.raises(WebhookRefused, match="too long ago"):
        opened(headers(), now=NOW + seconds)
    assert opened(headers(), now=NOW + 299)


@pytest.mark.parametrize("text", ["", "soon", "1e9", "1_614_265_330", " 1614265330", "-1", "١٦١٤٢٦٥٣٣٠", "9" * 5000])
def test_a_time_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WebhookRefused, match="no time"):
        opened(headers() | {TIMESTAMP: text})


@pytest.mark.parametrize("id", ["é", "\udcff"])
def test_an_id_that_is_none_is_refused(id: str) -> None:
    with pytest.raises(WebhookRefused, match="no id"):
        opened(headers() | {ID: id})


def test_a_secret_is_replaced_while_both_are_good() -> None:
    """The sender signs with both as long as it has both; the receiver takes either."""
    both = headers() | {SIGNATURE: f"{headers(secret=OTHER)[SIGNATURE]} v1a,xyz {headers()[SIGNATURE]}"}
    assert opened(both, secrets=(SECRET,))
    assert opened(both, secrets=(OTHER,))
    assert opened(headers(secret=OTHER), secrets=(SECRET, OTHER))


def test_without_a_secret_nothing_is_believed() -> None:
    with pytest.raises(WebhookRefused, match="not signed"):
        opened(headers(), secrets=())


def test_what_is_signed_and_no_event_is_refused() -> None:
    with pytest.raises(WebhookRefused, match="no CloudEvent"):
        opened(headers(b"{}"), b"{}")


@pytest.mark.parametrize(
    "secret",
    ["", "secret", SECRET.removeprefix("whsec_"), "whsec_", "whsec_c2hvcnQ=", "whsec_!!!", "whsec_" + "A" * 92],
)
def test_a_secret_that_is_none_is_said_at_once(secret: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        Webhooks([secret])


@given(st.dictionaries(st.sampled_from([ID, TIMESTAMP, SIGNATURE]), st.text(max_size=60)), st.binary(max_size=200))
def test_nothing_else_ever_comes_of_what_a_stranger_sends(sent: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookRefused):
        opened(sent, body)
