"""What messages look like, shown to those who administer an organisation: to sample people, and sent to nobody."""

from __future__ import annotations

import base64
from uuid import UUID

import msgspec

from services.notify.authority import require_administrator
from services.notify.brand.brands import Brand, Brands
from services.notify.channels import gsm7
from services.notify.channels.port import LOGO_ID, Picture
from services.notify.content.contents import Contents
from services.notify.content.samples import TEMPLATES, sample
from services.notify.content.tags import LOCALES
from shared.clock import Clock
from shared.errors import Invalid
from staffgate.contracts.caller import Person
from staffgate.contracts.notify import AskPreview, Preview, SetBranding, TemplateList
from staffgate.contracts.notify import Template as View


class Previews:
    def __init__(self, contents: Contents, brands: Brands, clock: Clock) -> None:
        self._contents = contents
        self._brands = brands
        self._clock = clock

    def templates(self, caller: Person) -> TemplateList:
        require_administrator(caller)
        views = [View(name=name, channels=[*channels]) for name, channels in TEMPLATES.items()]
        return TemplateList(templates=views, locales=[*LOCALES])

    async def show(self, caller: Person, wanted: AskPreview) -> Preview:
        require_administrator(caller)
        channels = TEMPLATES.get(wanted.template)
        if channels is None:
            raise Invalid("template_unknown", "There is no such template; look at the list of them.", at="$.template")
        if wanted.channel not in channels:
            raise Invalid("channel_unknown", f"This goes by {' and '.join(channels)} only.", at="$.channel")
        brand = await self._brand(caller.org, wanted.branding)
        now = self._clock.now()
        one = sample(wanted.template, wanted.channel, now)
        message = msgspec.structs.replace(one.message, locale=wanted.locale or "")
        content = self._contents.written(wanted.channel, one.template, message, one.deadline, now, brand)
        return Preview(
            subject=content.subject,
            text=content.text,
            html=_with_logo(content.html, brand.logo),
            locale=content.locale,
            segments=gsm7.segments(content.text) if wanted.channel == "sms" else None,
        )

    async def _brand(self, org: UUID, unsaved: SetBranding | None) -> Brand:
        """The organisation's own, as it would be with what has not been saved yet."""
        brand = await self._brands.of(org)
        if unsaved is None:
            return brand
        changed = msgspec.structs.asdict(unsaved) | {"colour": unsaved.colour.lower()}
        return msgspec.structs.replace(brand, **changed)


def _with_logo(html: str, logo: Picture | None) -> str:
    """A picture that comes along with an e-mail is nowhere else: here it is in the page itself."""
    if logo is None:
        return html
    content = base64.b64encode(logo.content).decode()
    return html.replace(f"cid:{LOGO_ID}", f"data:image/{logo.subtype};base64,{content}")
