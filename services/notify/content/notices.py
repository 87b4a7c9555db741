"""What people are told of their own accounts: for each kind what has happened, and what to do if it was not they.

The words are Jinja, with `organisation` and `fact.<name>`; a fact that a kind needs and was not given is a fault.
"""

from __future__ import annotations

import msgspec

from staffgate.contracts.identity import NoticeKind

_NOT_YOU = (
    "Was it not you? Then change your password, log out everywhere, and tell an administrator of {{ organisation }}."
)
_TELL = "Is that not right? Then tell an administrator of {{ organisation }}."

# As they stand in a sentence.
FACTORS = {
    "totp": "an authenticator app",
    "passkey": "a passkey",
    "recovery": "recovery codes",
    "sms": "codes by SMS",
    "email": "codes by e-mail",
}


class Words(msgspec.Struct, frozen=True, kw_only=True):
    """`by_somebody`: when and from where is said too, because whoever was there did it."""

    title: str
    said: str
    advice: str = _NOT_YOU
    by_somebody: bool = True


WORDS = {
    NoticeKind.NEW_DEVICE: Words(
        title="A login from a new device",
        said="Somebody logged in to your account on a device that was not used for it before"
        "{% if fact.network is defined and fact.network %}, {{ fact.network }}{% endif %}.",
    ),
    NoticeKind.LOGIN_AFTER_FAILURES: Words(
        title="A login after wrong passwords",
        said="Somebody logged in to your account after {{ fact.failures }} wrong passwords.",
    ),
    NoticeKind.SECOND_FACTOR_FAILED: Words(
        title="The right password and a wrong code",
        said="Somebody gave your password and then a wrong second factor. They did not get in.",
        advice="Was it not you? Then somebody else knows your password: change it, and tell an administrator of"
        " {{ organisation }}.",
    ),
    NoticeKind.ACCOUNT_LOCKED: Words(
        title="Your account is locked",
        said="There were {{ fact.failures }} wrong passwords in a row, so your account was locked"
        "{% if fact.minutes %} for {{ fact.minutes }} minutes{% else %} until an administrator unlocks it{% endif %}."
        " On a device that you have used before you can still log in.",
        advice="Was it not you? Then somebody is guessing. Your password was not guessed; if it is used anywhere else,"
        " change it, and tell an administrator of {{ organisation }}.",
    ),
    NoticeKind.PASSWORD_CHANGED: Words(
        title="Your password was changed",
        said="The password of your account was changed. Whoever was signed in with the old one is logged out.",
        advice="Was it not you? Then ask for a link to set a new password at once, and tell an administrator of"
        " {{ organisation }}.",
    ),
    NoticeKind.EMAIL_CHANGED: Words(
        title="Your e-mail address was changed",
        said="The e-mail address of your account was changed. Messages about it go to the new one.",
        advice="Was it not you? Then tell an administrator of {{ organisation }} at once.",
    ),
    NoticeKind.MOBILE_CHANGED: Words(
        title="Your mobile number was changed", said="The mobile number of your account was changed or taken out."
    ),
    NoticeKind.FACTOR_ADDED: Words(
        title="A second factor was added", said="Your account can be logged in to with {{ fact.factor }} from now on."
    ),
    NoticeKind.FACTOR_REMOVED: Words(
        title="A second factor was removed", said="Your account can't be logged in to with {{ fact.factor }} any more."
    ),
    NoticeKind.FACTORS_RESET: Words(
        title="Your second factors were reset",
        said="An administrator took all second factors off your account and ended its sessions. At your next login you"
        " set up a new one.",
        advice="You did not ask for that? Then tell an administrator of {{ organisation }} before you log in.",
        by_somebody=False,
    ),
    NoticeKind.PASSKEY_COPIED: Words(
        title="A passkey was refused",
        said="A passkey of yours was used that seems to be a copy of it, and was refused.",
        advice="Remove that passkey from your account and add a new one, and tell an administrator of"
        " {{ organisation }}.",
    ),
    NoticeKind.RECOVERY_CODE_USED: Words(
        title="A recovery code was used",
        said="Somebody logged in to your account with one of its recovery codes. {{ fact.left }} of them are left.",
    ),
    NoticeKind.RECOVERY_CODES_MADE: Words(
        title="New recovery codes were made",
        said="New recovery codes were made for your account; the old ones are dead.",
    ),
    NoticeKind.TOKEN_REUSED: Words(
        title="A session was ended",
        said="What keeps a program of yours signed in was used a second time, from somewhere else maybe. To be safe that"
        " session was ended: log in again.",
        advice="Does it happen again? Then change your password, and tell an administrator of {{ organisation }}.",
    ),
    NoticeKind.OWNERSHIP_OFFERED: Words(
        title="{{ organisation }} is offered to you",
        said="The owner of {{ organisation }} wants you to become its owner. Log in to accept or to decline.",
        advice="Until you accept, nothing changes.",
        by_somebody=False,
    ),
    NoticeKind.OWNERSHIP_TRANSFERRED: Words(
        title="{{ organisation }} has another owner",
        said="The ownership of {{ organisation }} was transferred. Your sessions were ended: log in again.",
        advice=_TELL,
        by_somebody=False,
    ),
    NoticeKind.ORGANISATION_CLOSED: Words(
        title="{{ organisation }} was closed",
        said="{{ organisation }} was closed by its owner. Nobody can log in to it any more.",
        advice="You need to do nothing.",
        by_somebody=False,
    ),
    NoticeKind.IMPORT_FINISHED: Words(
        title="Your import has finished",
        said="The file of staff that you gave is done with: of {{ fact.rows }} rows, {{ fact.created }} became people and"
        " {{ fact.bad }} have something wrong in them. Log in to see which.",
        advice=_TELL,
        by_somebody=False,
    ),
}
