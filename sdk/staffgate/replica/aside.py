"""What a replica knew of an organisation when it had to forget it: not believed, but most of it is right still."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from uuid import UUID

from staffgate.client import Refused
from staffgate.mirror import Mirror, Part, Resolve
from staffgate.mirror.parts import Key, keys
from staffgate.replica.remote import Remote

_AT_ONCE = 5_000  # parts that are put back without a pause: ten milliseconds
_TRIES = 3  # where all of them are overtaken: a heartbeat came that lists more than was heard


class Aside:
    """`parts` were right at the `revision`, which authz had come to by `at` that time. `reached` is told to which one it has
    come when it says what is right still."""

    def __init__(
        self, org: UUID, at: float, revision: int, parts: dict[Key, Part], reached: Callable[[int], None]
    ) -> None:
        self.org = org
        self.at = at
        self.revision = revision
        self.useless = False
        self._parts = parts
        self._reached = reached

    @property
    def people(self) -> set[Key]:
        return {key for key in self._parts if isinstance(key, int)}

    async def put_back(self, mirror: Mirror, remote: Remote, now: Callable[[], float]) -> set[Key] | None:
        """All that is known to be right. What is not, or None where nobody knows that any more. `now` is asked anew each
        time: what is told to have been so many seconds ago is not to become later while others are put back."""
        changed: set[Key] = set()
        every = [*self._parts.items()]
        for start in range(0, len(every), _AT_ONCE):
            some = every[start : start + _AT_ONCE]
            for _ in range(_TRIES):
                found = None if self.useless else await self._some(some, mirror, remote, now)
                if found is None:
                    return None
                changed |= found
                right = {key for key, _ in some} - found
                if not right or mirror.missing(right) != right:
                    break
        return changed

    async def _some(
        self, parts: Sequence[tuple[Key, Part]], mirror: Mirror, remote: Remote, now: Callable[[], float]
    ) -> set[Key] | None:
        """As any other load: what is announced until it is here concerns these, too."""
        told: list[set[Key] | None] = []

        async def read(_resolve: Resolve) -> Sequence[tuple[Key, Part]]:
            since, right = await remote.unchanged(self.org, self.revision, max(0.0, now() - self.at), parts)
            if since.people is not None:
                self._reached(since.revision)
            told.append(None if since.people is None else keys(self.org, since.people, since.types))
            return right

        try:
            await mirror.fill(read)
        except Refused as refused:
            if refused.status not in (404, 422):
                raise
            return None  # an older authz, which can't be asked that, or not of so long ago
        return told[0]
