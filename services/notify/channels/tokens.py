"""What a letter is called where others see it: the delivery's id, and a token that shows that we wrote the letter.

Administrators can see ids. What was sent to us as a bounce has the token only if its writer had the letter.
"""

from __future__ import annotations

import hmac
import re
from uuid import UUID

_DIGITS = 16
_NAME = re.compile(rf"([0-9a-f]{{8}}(?:-[0-9a-f]{{4}}){{3}}-[0-9a-f]{{12}})\.([0-9a-f]{{{_DIGITS}}})", re.I)


class Tokens:
    def __init__(self, key: bytes) -> None:
        self._key = key

    def name(self, id: UUID) -> str:
        """`id.token`, the same however often the letter is tried."""
        return f"{id}.{self._token(id)}"

    def read(self, name: str) -> UUID | None:
        """Whose name it is, if we gave it."""
        found = _NAME.fullmatch(name)
        if found is None:
            return None
        id = UUID(found.group(1))
        return id if hmac.compare_digest(found.group(2).lower(), self._token(id)) else None

    def _token(self, id: UUID) -> str:
        return hmac.digest(self._key, b"bounce/" + id.bytes, "sha256").hex()[:_DIGITS]
