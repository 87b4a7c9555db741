"""All that is to do with second factors, as one part of identity."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from services.identity.factor.ceremonies import Ceremonies, domain_of, origin_of
from services.identity.factor.codes import Codes
from services.identity.factor.enrolments import Enrolments
from services.identity.factor.passkeys import Passkeys
from services.identity.factor.proofs import Proofs
from services.identity.factor.recovery import Recovery
from services.identity.factor.stepup import StepUp
from services.identity.factor.totp import Totp
from services.identity.messages import Messages
from services.identity.permits import Permits
from services.identity.session.sessions import Sessions
from shared.db import Database
from shared.sealing import Opener


@dataclass(frozen=True)
class SecondFactors:
    enrolments: Enrolments
    totp: Totp
    recovery: Recovery
    passkeys: Passkeys
    codes: Codes
    proofs: Proofs
    step_up: StepUp


def second_factors(
    db: Database, sessions: Sessions, messages: Messages, permits: Permits, opener: Opener, key: bytes,
    ceremonies: Ceremonies,
) -> SecondFactors:  # fmt: skip
    """`opener` holds what secrets of apps are sealed to; with `key` codes are digested."""
    recovery, codes = Recovery(db, messages, key), Codes(db, messages, key)
    enrolments = Enrolments(db, sessions, messages, permits, recovery)
    totp, passkeys = Totp(db, opener, enrolments), Passkeys(db, ceremonies, enrolments, messages)
    proofs = Proofs(db, totp, codes, passkeys, recovery)
    return SecondFactors(enrolments, totp, recovery, passkeys, codes, proofs, StepUp(db, proofs, sessions))


def read_ceremonies(public_url: str, domain: str, origins: str) -> Ceremonies:
    """Without settings of their own, passkeys are for the host and the origin that links lead to."""
    pages: Sequence[str] = [one.strip() for one in origins.split(",") if one.strip()]
    return Ceremonies(domain or domain_of(public_url), pages or [origin_of(public_url)])
