"""What went wrong, as every service says it: RFC 9457, application/problem+json."""

from __future__ import annotations

import msgspec

CONTENT_TYPE = "application/problem+json"
_URN = "urn:staffgate:problem:"


class Problem(msgspec.Struct, kw_only=True):
    """RFC 9457. `type` is stable and never changes its meaning; `detail` says what to do next."""

    type: str
    title: str
    status: int
    detail: str
    instance: str

    @classmethod
    def of(cls, code: str, status: int, detail: str, instance: str) -> Problem:
        """By the code that is the stable end of the type."""
        return cls(
            type=_URN + code,
            title=code.replace("_", " ").capitalize(),
            status=status,
            detail=detail,
            instance=instance,
        )


class OAuthProblem(Problem, kw_only=True):
    """As the token endpoint says it: `error` is one of RFC 6749 section 5.2."""

    error: str
    error_description: str


def code_of(type: str) -> str:
    return type.rpartition(":")[2]
