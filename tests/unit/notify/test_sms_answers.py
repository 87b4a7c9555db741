"""Whatever a provider answers over HTTP, it is taken, refused or left open: never a fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from services.notify.channels import http, twilio
from services.notify.channels.exchange import Answer, meaning
from services.notify.channels.port import Accepted, Deferred, Rejected, Unsure
from services.notify.provider.settings import AcceptedWhen, HttpSettings

DESCRIBED = HttpSettings(
    name="sms",
    url="https://sms.acme.example",
    json={"to": "{to}", "text": "{text}"},
    accepted=AcceptedWhen(at="/a/0", values=["b"]),
    reference_at="/a/1",
    code_at="/c",
)
STATUSES = st.integers(100, 599)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=9,
)


def judged(answer: Answer, by: Callable[[Answer], Accepted]) -> str:
    try:
        return by(answer).answer
    except (Deferred, Unsure, Rejected) as fault:
        return f"refused: {fault}"


@given(STATUSES, st.binary(max_size=60) | JSON.map(msgspec.json.encode))
@example(201, b'{"a": ["\xff"]}')
@example(201, b'{"a": ' + b"[" * 60_000)
def test_every_answer_means_something(status: int, body: bytes) -> None:
    for by in (twilio._judged, partial(http._judged, DESCRIBED)):
        said = judged(Answer(status, body), by)
        # A status with enough digits behind it might be a telephone's number, and is not kept either.
        assert said.removeprefix("refused: ").startswith((str(status), "***"))
        assert said.startswith("refused") or 200 <= status < 300


def test_only_what_is_about_the_message_is_final() -> None:
    """Of the 4xx it is all but those about us and our pace."""
    final = {status for status in range(100, 600) if meaning(status) is Rejected}
    assert final == set(range(400, 500)) - {401, 403, 407, 408, 425, 429}
