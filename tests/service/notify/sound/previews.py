"""Sound requests: previews."""

from __future__ import annotations

from tests.service.bad_input.sound import Sound
from tests.service.notify.sound.world import Ground

# Jane may do nothing: these answer her 403, and what is about one person 404.
FORBIDDEN = frozenset(["list_templates", "show_preview"])
HIDDEN = frozenset[str]()


class Previews(Ground):
    async def list_templates(self) -> Sound:
        return Sound(token=self.ray)

    async def show_preview(self) -> Sound:
        branding = {"name": "ACME", "colour": "#aa3300", "reply_to": "", "locale": "de"}
        body = {"template": "code.login", "channel": "sms", "locale": "fr", "branding": branding}
        return Sound(body=body, token=self.ray)
