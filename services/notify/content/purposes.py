"""What a message with a code says, for each purpose of the code."""

from __future__ import annotations

import msgspec

from services.notify.content.sentences import Said, _

# Whose code it is, what for, and how long: the rest of an SMS is left out first where there is no room.
GUARDED = _("Never share it.")


class Purpose(msgspec.Struct, frozen=True, kw_only=True):
    """`sms` is one sentence, short: beside it there has to be room for a few letters of a name in Chinese. `footer` is
    what it means if one does nothing of the kind."""

    subject: str
    title: str
    preview: str
    said: str
    sms: str
    footer: Said


PURPOSES = {
    "login": Purpose(
        subject=_("Your login code for %(organisation)s"),
        title=_("Your login code"),
        preview=_("Your code to log in to %(organisation)s. Never share it."),
        said=_("This is your code to log in to %(organisation)s:"),
        sms=_("%(code)s is your %(organisation)s login code, good for %(good_for)s."),
        footer=(
            _("You are not logging in? Then somebody else knows your password: change it, and tell an administrator."),
        ),
    ),
    "step_up": Purpose(
        subject=_("Your code for a security check for %(organisation)s"),
        title=_("Your code for a security check"),
        preview=_("Your code to confirm that it is you at %(organisation)s. Never share it."),
        said=_("This is your code to confirm that it is you at %(organisation)s:"),
        sms=_("%(code)s is your %(organisation)s security code, good for %(good_for)s."),
        footer=(
            _(
                "You are not changing anything? Then somebody else is signed in as you: log out everywhere, change your"
                " password, and tell an administrator."
            ),
        ),
    ),
    "mobile": Purpose(
        subject=_("Your code to confirm a number for %(organisation)s"),
        title=_("Your code to confirm a number"),
        preview=_("Your code to confirm your mobile number at %(organisation)s. Never share it."),
        said=_("This is your code to confirm your mobile number at %(organisation)s:"),
        sms=_("%(code)s is your %(organisation)s mobile code, good for %(good_for)s."),
        footer=(_("You did not ask for it? Then ignore this message: without the code the number is not taken."),),
    ),
}
