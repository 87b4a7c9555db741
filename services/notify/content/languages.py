"""One language: its sentences, its numbers and dates, and the templates in it."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path

from babel import Locale
from babel.dates import format_date, format_time, format_timedelta
from jinja2 import FileSystemLoader, StrictUndefined
from jinja2.sandbox import SandboxedEnvironment

from services.notify.content.catalogs import translations
from services.notify.content.sentences import Said, Sentence, _
from services.notify.content.tags import SOURCE

TEMPLATES = Path(__file__).parent / "templates"
_FROM_TWO = 2  # 90 minutes and 36 hours are said in the smaller unit
_ONE_MINUTE, _TWO_HOURS = timedelta(minutes=1), timedelta(hours=2)

_AT = _("%(date)s, %(time)s UTC")
_MINUTES = _("%(minutes)s min")


class Language:
    """Templates are compiled at start; a value that is missing is a fault and never an empty place."""

    def __init__(self, tag: str) -> None:
        self.tag = tag
        self._locale = Locale.parse("en-GB" if tag == SOURCE else tag, sep="-")
        self._words = translations(tag)
        self.between = "" if self._locale.language == "zh" else " "
        self._environment = _environment()
        self._environment.install_gettext_translations(self._words, newstyle=True)  # type: ignore[attr-defined]
        for name in self._environment.list_templates():
            self._environment.get_template(name)

    @property
    def direction(self) -> str:
        return "rtl" if self._locale.text_direction == "rtl" else "ltr"

    def say(self, sentence: str | Sentence, values: Mapping[str, str]) -> str:
        if isinstance(sentence, str):
            return self._words.gettext(sentence) % values
        if sentence.count:
            return self._words.ngettext(sentence.one, sentence.many, _number(values[sentence.count])) % values
        said = bool(values[sentence.given]) if sentence.given else not values[sentence.without]
        return self._words.gettext(sentence.one) % values if said else ""

    def say_all(self, said: Said, values: Mapping[str, str]) -> str:
        return self.joined(*(self.say(sentence, values) for sentence in said))

    def joined(self, *sentences: str) -> str:
        return self.between.join(filter(None, sentences))

    def render(self, template: str, values: Mapping[str, str]) -> str:
        return self._environment.get_template(template).render(values)

    # --- times ------------------------------------------------------------------------------------------------

    def lasting(self, remaining: timedelta) -> str:
        """In the words of a person, rounded: `10 minutes`, `24 hours`, `7 days`."""
        words = format_timedelta(
            max(remaining, _ONE_MINUTE), threshold=_FROM_TWO, granularity="minute", locale=self._locale
        )
        return " ".join(words.split())

    def lasting_briefly(self, remaining: timedelta) -> str:
        if remaining >= _TWO_HOURS:
            return self.lasting(remaining)
        return self.say(_MINUTES, {"minutes": str(max(1, round(remaining / _ONE_MINUTE)))})

    def at(self, moment: datetime) -> str:
        moment = moment.astimezone(UTC)
        values = {
            "date": format_date(moment, "long", self._locale),
            "time": format_time(moment, "HH:mm", locale=self._locale),
        }
        return self.say(_AT, values)


def _environment() -> SandboxedEnvironment:
    environment = SandboxedEnvironment(
        loader=FileSystemLoader(TEMPLATES),
        extensions=["jinja2.ext.i18n"],
        autoescape=lambda name: name is not None and name.endswith(".html"),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.policies["ext.i18n.trimmed"] = True
    return environment


def _number(text: str) -> int:
    """What is no number is not one."""
    return int(text) if text.isascii() and text.isdigit() else 0
