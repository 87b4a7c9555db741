"""How an organisation's colour and logo stand in an e-mail: legible whichever colour it chose, by day and by night.

Mail programs compute nothing, so it is worked out here. The layout takes it all from `look`.
"""

from __future__ import annotations

from services.notify.brand.brands import Brand
from services.notify.brand.images import size
from services.notify.channels.port import LOGO_ID

LIGHT_CARD, DARK_CARD = "#ffffff", "#1f242c"

_WHITE, _BLACK = "#ffffff", "#000000"
_OURS, _OURS_IN_DARK = "#1f5fd0", "#6ea8ff"
_TEXT = 4.5  # WCAG 2.2, 1.4.3: text on its ground
_SHAPE = 1.6  # a button on the card: 1.4.11 asks for none where its words can be read, and this much is seen
_STEPS = 20
_LOGO_HEIGHT, _LOGO_WIDTH = 40, 220  # CSS pixels at most


def look(brand: Brand) -> dict[str, str]:
    """The layout's variables: `colour` and `ink_on_colour` of buttons, both again for the dark, and `logo` with its size.

    Without a logo `logo` is empty. Links and text keep our own colours: of a yellow nobody could read any.
    """
    by_day = seen_on(brand.colour or _OURS, LIGHT_CARD)
    by_night = seen_on(brand.colour or _OURS_IN_DARK, DARK_CARD)
    width, height = _shown(*size(brand.logo.content)) if brand.logo else (0, 0)
    return {
        "colour": by_day,
        "ink_on_colour": ink_on(by_day),
        "colour_in_dark": by_night,
        "ink_in_dark": ink_on(by_night),
        "logo": f"cid:{LOGO_ID}" if brand.logo else "",
        "logo_width": str(width),
        "logo_height": str(height),
    }


def ink_on(ground: str) -> str:
    """White where it can be read, else black: one of them always has a contrast of 4.58 at least."""
    return _WHITE if contrast(_WHITE, ground) >= _TEXT else _BLACK


def seen_on(colour: str, card: str) -> str:
    """The colour, or the nearest towards black or white of which the shape of a button can be seen on this card."""
    end = _BLACK if _luminance(card) > 0.5 else _WHITE
    mixed = (_mixed(colour, end, step / _STEPS) for step in range(_STEPS + 1))
    return next(one for one in mixed if contrast(one, card) >= _SHAPE)


def contrast(one: str, other: str) -> float:
    """From 1 to 21 (WCAG 2.2, contrast ratio)."""
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(channel / 255) for channel in _channels(colour))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _channels(colour: str) -> tuple[int, int, int]:
    return int(colour[1:3], 16), int(colour[3:5], 16), int(colour[5:7], 16)


def _mixed(colour: str, end: str, share: float) -> str:
    parts = zip(_channels(colour), _channels(end), strict=True)
    return "#" + "".join(f"{round(one + (other - one) * share):02x}" for one, other in parts)


def _shown(width: int, height: int) -> tuple[int, int]:
    """As large as there is room for, and never larger than it is."""
    scale = min(1.0, _LOGO_HEIGHT / height, _LOGO_WIDTH / width)
    return max(1, round(width * scale)), max(1, round(height * scale))
