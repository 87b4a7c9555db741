"""What people are told of their own accounts: for each kind what has happened, and what to do if it was not they.

The words have places for `organisation` and the facts of the kind; a fact that is needed and was not given is a fault.
"""

from __future__ import annotations

import msgspec

from services.notify.content.sentences import Said, _, counted, given, without
from staffgate.contracts.identity import NoticeKind

_NOT_YOU = _(
    "Was it not you? Then change your password, log out everywhere, and tell an administrator of %(organisation)s."
)
_PASSWORD_KNOWN = _(
    "Was it not you? Then somebody else knows your password: change it, and tell an administrator of %(organisation)s."
)
_TELL = _("Is that not right? Then tell an administrator of %(organisation)s.")
_NOTHING = _("You need to do nothing.")

# As a list names them.
FACTORS = {
    "totp": _("authenticator app"),
    "passkey": _("passkey"),
    "recovery": _("recovery codes"),
    "sms": _("codes by SMS"),
    "email": _("codes by e-mail"),
}
ANOTHER_FACTOR = _("another factor")


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """`by_somebody`: when and from where is said too, because whoever was there did it."""

    title: str
    said: Said
    advice: str = _NOT_YOU
    by_somebody: bool = True


WORDS = {
    NoticeKind.NEW_DEVICE: Words(
        title=_("A login from a new device"),
        said=(
            _("Somebody logged in to your account on a device that was not used for it before."),
            given("network", _("They came from outside your organisation's networks.")),
        ),
    ),
    NoticeKind.LOGIN_AFTER_FAILURES: Words(
        title=_("A login after wrong passwords"),
        said=(
            counted(
                "failures",
                "Somebody logged in to your account after %(failures)s wrong password.",
                "Somebody logged in to your account after %(failures)s wrong passwords.",
            ),
        ),
    ),
    NoticeKind.SECOND_FACTOR_FAILED: Words(
        title=_("The right password and a wrong code"),
        said=(_("Somebody gave your password and then a wrong second factor. They did not get in."),),
        advice=_PASSWORD_KNOWN,
    ),
    NoticeKind.ACCOUNT_LOCKED: Words(
        title=_("Your account is locked"),
        said=(
            counted(
                "failures",
                "There was %(failures)s wrong password.",
                "There were %(failures)s wrong passwords in a row.",
            ),
            given("minutes", _("So your account was locked for %(locked_for)s.")),
            without("minutes", _("So your account was locked until an administrator unlocks it.")),
            _("On a device that you have used before you can still log in."),
        ),
        advice=_(
            "Was it not you? Then somebody is guessing. Your password was not guessed; if it is used anywhere else,"
            " change it. An administrator of %(organisation)s can unlock the account."
        ),
    ),
    NoticeKind.PASSWORD_CHANGED: Words(
        title=_("Your password was changed"),
        said=(_("The password of your account was changed. Whoever was signed in with the old one is logged out."),),
        advice=_(
            "Was it not you? Then ask for a link to set a new password at once, and tell an administrator of"
            " %(organisation)s."
        ),
    ),
    NoticeKind.EMAIL_CHANGED: Words(
        title=_("Your e-mail address was changed"),
        said=(_("The e-mail address of your account was changed. Messages about it go to the new one."),),
        advice=_("Was it not you? Then tell an administrator of %(organisation)s at once."),
    ),
    NoticeKind.MOBILE_CHANGED: Words(
        title=_("Your mobile number was changed"),
        said=(_("The mobile number of your account was changed or taken out."),),
    ),
    NoticeKind.FACTOR_ADDED: Words(
        title=_("A second factor was added"),
        said=(_("From now on there is one more way to log in to your account: %(factor)s."),),
    ),
    NoticeKind.FACTOR_REMOVED: Words(
        title=_("A second factor was removed"),
        said=(_("From now on there is one way less to log in to your account: %(factor)s."),),
    ),
    NoticeKind.FACTORS_RESET: Words(
        title=_("Your second factors were reset"),
        said=(
            _(
                "An administrator took all second factors off your account and ended its sessions. At your next login you"
                " set up a new one."
            ),
        ),
        advice=_("You did not ask for that? Then tell an administrator of %(organisation)s before you log in."),
        by_somebody=False,
    ),
    NoticeKind.PASSKEY_COPIED: Words(
        title=_("A passkey was refused"),
        said=(_("A passkey of yours was used that seems to be a copy of it, and was refused."),),
        advice=_(
            "Remove that passkey from your account and add a new one, and tell an administrator of %(organisation)s."
        ),
    ),
    NoticeKind.RECOVERY_CODE_USED: Words(
        title=_("A recovery code was used"),
        said=(
            _("Somebody logged in to your account with one of its recovery codes."),
            counted("left", "%(left)s of them is left.", "%(left)s of them are left."),
        ),
    ),
    NoticeKind.RECOVERY_CODES_MADE: Words(
        title=_("New recovery codes were made"),
        said=(_("New recovery codes were made for your account; the old ones are dead."),),
    ),
    NoticeKind.TOKEN_REUSED: Words(
        title=_("A session was ended"),
        said=(
            _(
                "What keeps a program of yours signed in was used a second time, from somewhere else maybe. To be safe"
                " that session was ended: log in again."
            ),
        ),
        advice=_("Does it happen again? Then change your password, and tell an administrator of %(organisation)s."),
    ),
    NoticeKind.OWNERSHIP_OFFERED: Words(
        title=_("%(organisation)s is offered to you"),
        said=(_("The owner of %(organisation)s wants you to become its owner. Log in to accept or to decline."),),
        advice=_("Until you accept, nothing changes."),
        by_somebody=False,
    ),
    NoticeKind.OWNERSHIP_TRANSFERRED: Words(
        title=_("%(organisation)s has another owner"),
        said=(_("The ownership of %(organisation)s was transferred. Your sessions were ended: log in again."),),
        advice=_TELL,
        by_somebody=False,
    ),
    NoticeKind.RECOVERY_ASKED: Words(
        title=_("The owner of %(organisation)s asks to be let in again"),
        said=(
            _(
                "Whoever operates this service was told that the owner of %(organisation)s has lost every way to log in,"
                " and wants to use another e-mail address."
            ),
            counted(
                "hours",
                "In %(hours)s hour all second factors, the password and the sessions of the owner are taken away, and a"
                " link goes to that address.",
                "In %(hours)s hours all second factors, the password and the sessions of the owner are taken away, and a"
                " link goes to that address.",
            ),
        ),
        advice=_(
            "Is that not right? Then the owner only has to log in, and nothing happens. Whoever can't tells those who"
            " operate this service at once."
        ),
        by_somebody=False,
    ),
    NoticeKind.OWNER_RECOVERED: Words(
        title=_("The owner of %(organisation)s has another e-mail address"),
        said=(
            _(
                "Whoever operates this service has taken away all second factors, the password and the sessions of the"
                " owner of %(organisation)s, and has sent a link to another e-mail address."
            ),
        ),
        advice=_("Is that not right? Then tell those who operate this service at once."),
        by_somebody=False,
    ),
    NoticeKind.ORGANISATION_CLOSED: Words(
        title=_("%(organisation)s was closed"),
        said=(_("%(organisation)s was closed by its owner. Nobody can log in to it any more."),),
        advice=_NOTHING,
        by_somebody=False,
    ),
    NoticeKind.IMPORT_FINISHED: Words(
        title=_("Your import has finished"),
        said=(
            _("The file of staff that you gave is done with."),
            _("Rows: %(rows)s. People added: %(created)s. Rows with something wrong in them: %(bad)s."),
            _("Log in to see which."),
        ),
        advice=_TELL,
        by_somebody=False,
    ),
    NoticeKind.UNDELIVERABLE: Words(
        title=_("A message could not be delivered"),
        said=(
            _("A message that keeps an account safe could not be delivered to %(colleague)s (%(account)s)."),
            given("email", _("It went to their e-mail address.")),
            given("sms", _("It went to their mobile number.")),
        ),
        advice=_("Ask them how they can be reached, and correct the address in their account."),
        by_somebody=False,
    ),
    NoticeKind.TEST: Words(
        title=_("A test message"),
        said=(_("You asked for this message to see whether messages reach you. This one has."),),
        advice=_NOTHING,
    ),
}
