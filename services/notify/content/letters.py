"""What an e-mail with a link says, for each purpose of the link."""

from __future__ import annotations

import msgspec

from services.notify.content.sentences import Said, _
from staffgate.contracts.identity import LinkPurpose

_GOOD_FOR = _("The link is good for %(good_for)s, until %(until)s.")
_GOOD_ONCE = _("The link is good for %(good_for)s, until %(until)s, and only once.")


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """`preview` is what a mailbox shows beside the subject, `bounds` how long and how often the link is good, `footer`
    what to do where it was not expected."""

    subject: str
    title: str
    preview: str
    said: Said
    action: str
    bounds: Said
    footer: Said


LETTERS = {
    LinkPurpose.ACTIVATE: Letter(
        subject=_("Activate your account at %(organisation)s"),
        title=_("Activate your account"),
        preview=_("Set your password to activate your account."),
        said=(_("%(organisation)s has an account for you. Set your password, and it is active."),),
        action=_("Set password"),
        bounds=(
            _GOOD_FOR,
            _(
                "If it has run out, ask an administrator of %(organisation)s to send a new one; the older one then stops"
                " working."
            ),
        ),
        footer=(_("You did not expect this? Then ignore this message: without a password the account can't be used."),),
    ),
    LinkPurpose.CONFIRM: Letter(
        subject=_("Confirm your e-mail address for %(organisation)s"),
        title=_("Confirm your e-mail address"),
        preview=_("Confirm your e-mail address and set your password."),
        said=(
            _("%(organisation)s was registered with this e-mail address, and you are its owner."),
            _("Confirm the address and set your password."),
        ),
        action=_("Confirm and set password"),
        bounds=(_GOOD_FOR, _("A new one can be sent at any time; the older one then stops working.")),
        footer=(_("You did not register an organisation? Then ignore this message, and nothing happens."),),
    ),
    LinkPurpose.EMAIL: Letter(
        subject=_("Confirm your new e-mail address for %(organisation)s"),
        title=_("Confirm your new e-mail address"),
        preview=_("Confirm the new e-mail address of your account."),
        said=(
            _("This is to be the e-mail address of your account at %(organisation)s."),
            _("Confirm that you read what is sent to it."),
        ),
        action=_("Confirm address"),
        bounds=(_GOOD_FOR, _("Until you confirm, messages go to the old address.")),
        footer=(_("This is not your account? Then ignore this message, and nothing happens."),),
    ),
    LinkPurpose.RESET: Letter(
        subject=_("Set a new password for %(organisation)s"),
        title=_("Set a new password"),
        preview=_("Set a new password for your account."),
        said=(_("A new password was asked for, for your account at %(organisation)s."),),
        action=_("Set password"),
        bounds=(_GOOD_ONCE, _("Whoever is signed in with the old password is logged out then.")),
        footer=(
            _("You did not ask for it? Then ignore this message: your password stays as it is."),
            _("If it comes again and again, tell an administrator of %(organisation)s."),
        ),
    ),
}
