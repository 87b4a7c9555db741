"""Permissions inside a product's own process: decided from memory, and never later than a stated time behind.

    async with Replica(session, authz_url, identity.token, amqp_url=amqp_url) as authz:
        if await authz.allowed(jane, "sms.send", inbox): ...

1. `replica.py` answers, and asks authz where it can't.
2. What is asked about is loaded from authz once (`remote.py`), and dropped when a change of it is announced (`hearing.py`).
3. Whole organisations are loaded before anybody asks, and kept so (`wholes.py`).
4. Every question needs the catalogue, which is kept like them (`catalogue.py`).
5. Where even authz is away, reads may be answered by what was last known, for those who want that (`lately.py`).
"""

from staffgate.replica.lately import StaleVerdict
from staffgate.replica.replica import Decided, Replica
from staffgate.replica.told import Loaded, ReplicaStats
from staffgate.replica.wholes import TooMany

__all__ = ["Decided", "Loaded", "Replica", "ReplicaStats", "StaleVerdict", "TooMany"]
