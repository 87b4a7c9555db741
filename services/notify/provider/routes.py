"""Who is asked for a message: those of its channel that send to its country, in the operator's order, if they are well."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from prometheus_client import Counter, Gauge, Histogram

from services.notify.channels.port import Accepted, Deferred, Down, Outgoing, Provider, Rejected, Unsure
from services.notify.provider.breaker import Breaker, BreakerState
from services.notify.provider.settings import ProviderSettings

PLENTY = 1_000_000

breaker_open = Gauge(
    "notify_provider_down", "1 while a provider is not asked: the alarm that hides behind fail-over", ["provider"]
)
asked_total = Counter(
    "notify_provider_asked_total", "Messages given to a provider, by its answer", ["provider", "answer"]
)
answer_seconds = Histogram("notify_provider_answer_seconds", "How long a provider takes to answer", ["provider"])

Now = Callable[[], datetime]


class Route:
    """One provider, with what is known of it."""

    def __init__(self, provider: Provider, settings: ProviderSettings) -> None:
        self.provider = provider
        self.settings = settings
        self._breaker = Breaker()
        breaker_open.labels(provider.name).set(0)

    @property
    def name(self) -> str:
        return self.provider.name

    def sends_to(self, country: str | None) -> bool:
        """Without a country (an e-mail) it sends everywhere."""
        return country is None or not self.settings.countries or country in self.settings.countries

    def price(self, country: str | None) -> int:
        return self.settings.prices.get(country or "", self.settings.price)

    # --- whether it is asked ----------------------------------------------------------------------------------

    def permit(self, now: datetime) -> bool:
        """Who gets True asks it, or gives the permit back."""
        return self._breaker.permit(now)

    def give_back(self) -> None:
        self._breaker.give_back()

    def slow(self, now: datetime) -> bool:
        return self._breaker.slow(now)

    def room(self, now: datetime) -> int:
        """How many messages may be given to it now: of one that may be well again, one finds out."""
        if self._breaker.state(now) is BreakerState.CLOSED or self.slow(now):
            return PLENTY
        return int(self._breaker.permits(now))

    def asks_again_at(self, now: datetime) -> datetime:
        return self._breaker.asks_again_at(now)

    # --- asking -----------------------------------------------------------------------------------------------

    async def ask(self, message: Outgoing, now: Now, slow_after: float) -> Accepted:
        """Give it to the provider. That an answer takes too long is noted while it is still awaited: the next message is
        for somebody else."""
        loop = asyncio.get_running_loop()
        began, answer = loop.time(), "none"
        timer = loop.call_later(slow_after, lambda: self._failed(now(), slow=True))
        try:
            accepted = await self.provider.send(message)
            answer = "accepted"
            return accepted
        except (Deferred, Unsure, Rejected) as fault:
            answer = type(fault).__name__.lower()
            raise
        finally:
            timer.cancel()
            seconds = loop.time() - began
            asked_total.labels(self.name, answer).inc()
            answer_seconds.labels(self.name).observe(seconds)
            self._judge(answer, now(), late=seconds >= slow_after)

    def _judge(self, answer: str, now: datetime, *, late: bool) -> None:
        if answer in (Down.__name__.lower(), Unsure.__name__.lower()):
            self._failed(now)
        elif late:
            pass  # told already
        elif answer == "none":  # ended by us, or a fault of ours: that says nothing of the provider
            self.give_back()
        else:
            self._breaker.succeeded()
            breaker_open.labels(self.name).set(0)

    def _failed(self, now: datetime, *, slow: bool = False) -> None:
        self._breaker.failed(now, slow=slow)
        breaker_open.labels(self.name).set(self._breaker.state(now) is not BreakerState.CLOSED)


class Turns:
    """Whose turn it is to be asked for one message. Whether the next is well is seen when the one before has failed;
    those that only take long are asked where there is nobody else."""

    def __init__(self, routes: Sequence[Route], now: Now) -> None:
        self._routes = routes
        self._now = now
        self._well = self._one_by_one()
        self._next: Route | None = None

    def next(self) -> Route | None:
        self._next = next(self._well, None)
        return self._next

    async def ask(self, message: Outgoing, slow_after: float) -> Accepted:
        assert self._next is not None
        route, self._next = self._next, None
        return await route.ask(message, self._now, slow_after)

    def end(self) -> None:
        """Whose turn it was and who was not asked may be asked by the next message."""
        if self._next is not None:
            self._next.give_back()
        self._next = None

    def again_at(self) -> datetime:
        """When one of them may be well."""
        return min(route.asks_again_at(self._now()) for route in self._routes)

    def _one_by_one(self) -> Iterator[Route]:
        yield from (route for route in self._routes if route.permit(self._now()))
        yield from (route for route in self._routes if route.slow(self._now()))


class Routes:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @property
    def providers(self) -> list[Provider]:
        return [route.provider for route in self._routes]

    def known(self, channel: str, country: str | None) -> list[Route]:
        """Whoever could send it, well or not."""
        return [route for route in self._routes if route.provider.channel == channel and route.sends_to(country)]

    def named(self, channel: str, name: str | None) -> Route | None:
        return next((route for route in self._of(channel) if route.name == name), None)

    # --- whether there is a use in taking messages at all -----------------------------------------------------

    def room(self, channel: str, now: datetime) -> int:
        """How many of a channel's messages somebody would take now. Where nobody is named, nobody will ever: that is for
        each message to find out."""
        return max((route.room(now) for route in self._of(channel)), default=PLENTY)

    def shut(self, channel: str, now: datetime) -> list[str]:
        """The names of those that nothing is given to now."""
        return [route.name for route in self._of(channel) if not route.room(now)]

    def _of(self, channel: str) -> list[Route]:
        return [route for route in self._routes if route.provider.channel == channel]
