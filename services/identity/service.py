"""What identity's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.keys import Keys, Signer
from services.identity.links import Links
from services.identity.logins import Logins
from services.identity.organisations import Organisations
from services.identity.products import Products
from services.identity.sessions import Sessions
from services.identity.staff import StaffAccounts
from services.identity.totp import Totp


@dataclass(frozen=True)
class Identity:
    organisations: Organisations
    staff: StaffAccounts
    links: Links
    logins: Logins
    totp: Totp
    sessions: Sessions
    products: Products
    signer: Signer
    keys: Keys
