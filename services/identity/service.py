"""What identity's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.availability import Availabilities
from services.identity.blocklist import Visitors
from services.identity.closing import Closing
from services.identity.contacts import Contacts
from services.identity.edits import Edits
from services.identity.exports import Exports
from services.identity.imports.importer import Importer
from services.identity.imports.sending import Imports
from services.identity.keys import Keys, Signer
from services.identity.lifecycle import Lifecycle
from services.identity.links import Links
from services.identity.locks import Locks
from services.identity.logins import Logins
from services.identity.numbers import Numbers
from services.identity.organisations import Organisations
from services.identity.own_password import OwnPassword
from services.identity.ownership import Ownership
from services.identity.passwordless import Passwordless
from services.identity.products import Products
from services.identity.resets import Resets
from services.identity.roster import Roster
from services.identity.secondfactors import SecondFactors
from services.identity.security import Security
from services.identity.sessions import Sessions
from services.identity.staff import StaffAccounts
from services.identity.trail import Trail
from services.identity.weblinks import Weblinks


@dataclass(frozen=True)
class Identity:
    organisations: Organisations
    staff: StaffAccounts
    edits: Edits
    lifecycle: Lifecycle
    roster: Roster
    weblinks: Weblinks
    imports: Imports
    importer: Importer
    exports: Exports
    links: Links
    resets: Resets
    own_password: OwnPassword
    contacts: Contacts
    logins: Logins
    locks: Locks
    security: Security
    factors: SecondFactors
    passwordless: Passwordless
    sessions: Sessions
    products: Products
    signer: Signer
    keys: Keys
    availabilities: Availabilities
    visitors: Visitors
    closing: Closing
    numbers: Numbers
    ownership: Ownership
    trail: Trail
