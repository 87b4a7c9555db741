"""What identity's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.identity.factor.secondfactors import SecondFactors
from services.identity.log.trail import Trail
from services.identity.login.locks import Locks
from services.identity.login.logins import Logins
from services.identity.login.passwordless import Passwordless
from services.identity.organisation.blocklist import Visitors
from services.identity.organisation.closing import Closing
from services.identity.organisation.numbers import Numbers
from services.identity.organisation.organisations import Organisations
from services.identity.organisation.ownership import Ownership
from services.identity.organisation.recoveries import Recoveries
from services.identity.organisation.security import Security
from services.identity.password.links import Links
from services.identity.password.own_password import OwnPassword
from services.identity.password.resets import Resets
from services.identity.session.keys import Keys, Signer
from services.identity.session.products import Products
from services.identity.session.sessions import Sessions
from services.identity.staff.accounts import StaffAccounts
from services.identity.staff.availability import Availabilities
from services.identity.staff.contacts import Contacts
from services.identity.staff.edits import Edits
from services.identity.staff.exports import Exports
from services.identity.staff.imports.importer import Importer
from services.identity.staff.imports.sending import Imports
from services.identity.staff.lifecycle import Lifecycle
from services.identity.staff.reach import Reach
from services.identity.staff.roster import Roster
from services.identity.staff.weblinks import Weblinks


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
    recoveries: Recoveries
    trail: Trail
    reach: Reach
