"""Who is asked for a message: those of its channel that send to its country, in the operator's order, if they are well."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

from prometheus_client import Gauge

from services.notify.channels.port import Provider
from services.notify.provider.breaker import Breaker, BreakerState
from services.notify.provider.settings import ProviderSettings

breaker_open = Gauge(
    "notify_provider_down", "1 while a provider is not asked: the alarm that hides behind fail-over", ["provider"]
)


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

    def permit(self, now: datetime) -> bool:
        return self._breaker.permit(now)

    def succeeded(self) -> None:
        self._breaker.succeeded()
        breaker_open.labels(self.name).set(0)

    def failed(self, now: datetime) -> None:
        self._breaker.failed(now)
        breaker_open.labels(self.name).set(self._breaker.state(now) is not BreakerState.CLOSED)


class Routes:
    def __init__(self, routes: Sequence[Route]) -> None:
        self._routes = routes

    @property
    def providers(self) -> list[Provider]:
        return [route.provider for route in self._routes]

    def known(self, channel: str, country: str | None) -> list[Route]:
        """Whoever could send it, well or not."""
        return [route for route in self._routes if route.provider.channel == channel and route.sends_to(country)]

    def of(self, channel: str, country: str | None, pinned: str | None) -> Sequence[Route]:
        """In the order in which they are to be asked. A message that `pinned` may have already is for that one alone;
        is it gone from the settings, nobody can answer for it any more, and it is sent like any other."""
        routes = self.known(channel, country)
        return [route for route in routes if route.name == pinned] or routes

    def well(self, routes: Sequence[Route], now: Callable[[], datetime]) -> Iterator[Route]:
        """Asked one by one: whether the next is well is seen when the one before has failed."""
        return (route for route in routes if route.permit(now()))
