from __future__ import annotations

import asyncio
from contextlib import AbstractAsyncContextManager, nullcontext
from datetime import UTC, datetime, timedelta

import pytest
from prometheus_client import REGISTRY

from services.notify.channels.port import Accepted, Deferred, Down, Elsewhere, Outgoing, Rejected, Unsure
from services.notify.provider.routes import PLENTY, Route, Routes, Turns
from services.notify.provider.settings import ProviderSettings
from shared.ids import RandomIds

NOW = datetime(2026, 11, 22, 9, tzinfo=UTC)
MESSAGE = Outgoing(id=RandomIds().uuid(), to="jane@acme.example", text="", sent_at=NOW)


class Named:
    def __init__(self, name: str, channel: str = "sms") -> None:
        self.name = name
        self.channel = channel
        self.fault: BaseException | None = None
        self.seconds = 0.0

    def opened(self) -> AbstractAsyncContextManager[object]:
        return nullcontext()

    async def send(self, message: Outgoing) -> Accepted:
        await asyncio.sleep(self.seconds)
        if self.fault:
            raise self.fault
        return Accepted(answer="201")


def route(name: str, *countries: str, channel: str = "sms") -> Route:
    return Route(Named(name, channel), ProviderSettings(name=name, countries=list(countries)))


def names(turns: Turns) -> list[str]:
    found = []
    while one := turns.next():
        found.append(one.name)
    return found


async def fails(route: Route, *, seconds: float = 0, times: int = 3, now: datetime = NOW) -> None:
    provider = route.provider
    assert isinstance(provider, Named)
    provider.fault, provider.seconds = (None, seconds) if seconds else (Down("503"), 0)
    for _ in range(times):
        try:
            await route.ask(MESSAGE, lambda: now, 0.01)
        except Down:
            continue
    provider.fault, provider.seconds = None, 0


def test_those_of_the_channel_that_send_to_the_country_in_the_order_of_the_settings() -> None:
    routes = Routes([route("one", "AU"), route("two"), route("three", "NZ", "AU"), route("mail", channel="email")])
    assert [one.name for one in routes.known("sms", "AU")] == ["one", "two", "three"]
    assert [one.name for one in routes.known("sms", "NZ")] == ["two", "three"]
    assert [one.name for one in routes.known("email", None)] == ["mail"]


def test_a_provider_is_found_by_its_name_while_it_is_in_the_settings() -> None:
    routes = Routes([route("one"), route("mail", channel="email")])
    found = routes.named("sms", "one")
    assert found is not None
    assert routes.named("sms", "gone") is routes.named("sms", None) is routes.named("email", "one") is None


@pytest.mark.checklist("M08")
async def test_one_that_is_down_is_passed_over_until_it_is_tried_again() -> None:
    one, two = route("one"), route("two")
    await fails(one)
    assert names(Turns([one, two], lambda: NOW)) == ["two"]
    later = NOW + timedelta(seconds=5)
    assert names(Turns([one, two], lambda: later)) == ["one", "two"]
    assert names(Turns([one, two], lambda: later)) == ["two"], "the first one's probe is under way"


async def test_whose_turn_it_was_and_who_was_not_asked_may_be_asked_by_the_next_message() -> None:
    one, later = route("one"), NOW + timedelta(seconds=5)
    await fails(one)
    turns = Turns([one], lambda: later)
    assert turns.next() is one
    turns.end()
    assert names(Turns([one], lambda: later)) == ["one"]


@pytest.mark.checklist("M08")
async def test_one_that_takes_long_is_asked_where_there_is_nobody_else() -> None:
    one, two = route("one"), route("two")
    await fails(one, seconds=0.02)
    assert names(Turns([one, two], lambda: NOW)) == ["two", "one"]
    await fails(two)
    assert names(Turns([one, two], lambda: NOW)) == ["one"]


async def test_an_answer_that_takes_too_long_is_noted_while_it_is_awaited() -> None:
    one = route("one")
    provider = one.provider
    assert isinstance(provider, Named)
    provider.seconds = 10
    asking = [asyncio.ensure_future(one.ask(MESSAGE, lambda: NOW, 0.01)) for _ in range(3)]
    async with asyncio.timeout(5):
        while one.permit(NOW):
            await asyncio.sleep(0.005)
    assert not any(task.done() for task in asking)
    for task in asking:
        task.cancel()


@pytest.mark.parametrize("fault", [Unsure("lost"), Down("503")])
async def test_no_answer_and_a_bad_one_count_against_it(fault: Exception) -> None:
    one = route("one")
    provider = one.provider
    assert isinstance(provider, Named)
    provider.fault = fault
    for _ in range(3):
        with pytest.raises(type(fault)):
            await one.ask(MESSAGE, lambda: NOW, 1)
    assert not one.permit(NOW)


@pytest.mark.parametrize("fault", [Deferred("450"), Elsewhere("21408"), Rejected("550"), None])
async def test_what_is_about_the_message_does_not(fault: Exception | None) -> None:
    one = route("one")
    await fails(one, times=2)
    provider = one.provider
    assert isinstance(provider, Named)
    provider.fault = fault
    try:
        await one.ask(MESSAGE, lambda: NOW, 1)
    except (Deferred, Rejected):
        assert fault
    await fails(one, times=2)
    assert one.permit(NOW), "an answer in between, whatever it says, shows that it is well"


async def test_a_fault_of_ours_says_nothing_of_the_provider() -> None:
    one, later = route("one"), NOW + timedelta(seconds=5)
    await fails(one)
    provider = one.provider
    assert isinstance(provider, Named)
    provider.fault = RuntimeError()
    turns = Turns([one], lambda: later)
    assert turns.next() is one
    with pytest.raises(RuntimeError):
        await turns.ask(MESSAGE, 1)
    assert names(Turns([one], lambda: later)) == ["one"], "and the next message probes"


async def test_there_is_room_for_as_many_messages_as_somebody_takes() -> None:
    one, two, later = route("one"), route("two"), NOW + timedelta(seconds=5)
    routes = Routes([one, two])
    assert routes.room("sms", NOW) == PLENTY
    assert routes.room("email", NOW) == PLENTY, "that nobody is there is for each message to find out"
    await fails(one)
    assert routes.room("sms", NOW) == PLENTY
    assert routes.shut("sms", NOW) == ["one"]
    await fails(two)
    assert (routes.room("sms", NOW), routes.shut("sms", NOW)) == (0, ["one", "two"])
    assert routes.room("sms", later) == 1
    one.permit(later)
    two.permit(later)
    assert routes.room("sms", later) == 0


async def test_it_shows_who_is_down_and_what_was_answered_how_fast() -> None:
    one = route("counted")
    await fails(one, times=3)
    await one.ask(MESSAGE, lambda: NOW, 1)

    def metric(name: str, **labels: str) -> float | None:
        return REGISTRY.get_sample_value(name, {"provider": "counted", **labels})

    assert metric("notify_provider_asked_total", answer="down") == 3
    assert metric("notify_provider_asked_total", answer="accepted") == 1
    assert metric("notify_provider_answer_seconds_count") == 4
    assert metric("notify_provider_down") == 0
    await fails(one, times=3)
    assert metric("notify_provider_down") == 1
