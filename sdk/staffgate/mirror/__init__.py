"""What a process knows of an organisation's permissions, and how that is kept right.

The same code in each replica of authz, which reads the database, and inside a product's process, which asks authz. The
way of a question through it:

1. `Mirror.decide_now` answers from memory, or not at all; `Mirror.decide` loads what is missing.
2. A decision may need several parts: the person, the registry of the item's type, the owner of the row (asking.py).
   All have to be right at one revision; an old one next to a newer one is loaded again.
3. Parts are remembered, within bounds, until an announcement concerns them (cache.py).
4. A load that an announcement overtook is not kept (loads.py).
5. Heartbeats prove that nothing is missing. Without them nothing is remembered, and each question is loaded (pulse.py).
"""

from staffgate.mirror.mirror import Mirror, NotReached
from staffgate.mirror.parts import Part, Registry, Resolve, Source, Standing
from staffgate.mirror.stats import Stats

__all__ = ["Mirror", "NotReached", "Part", "Registry", "Resolve", "Source", "Standing", "Stats"]
