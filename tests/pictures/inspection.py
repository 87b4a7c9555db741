"""What a person would see of a page, measured in the page itself."""

from __future__ import annotations

import msgspec

from tests.pictures.browser import Browser

# WCAG's contrast, of what is really computed: the colour of each text, and the ground it stands on.
_SCRIPT = r"""
(() => {
  const channels = text => (text.match(/[\d.]+/g) || []).map(Number);
  const linear = value => (value /= 255) <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const luminance = ([red, green, blue]) => 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  const contrast = (one, other) => {
    const [darker, lighter] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (lighter + 0.05) / (darker + 0.05);
  };
  const ground = element => {
    for (; element; element = element.parentElement) {
      const colour = channels(getComputedStyle(element).backgroundColor);
      if (colour.length === 3 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const texts = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    const range = document.createRange();
    range.selectNodeContents(node);
    const boxes = [...range.getClientRects()].filter(box => box.width > 0 && box.height > 0);
    if (!node.data.trim() || !boxes.length) continue;
    texts.push({
      text: node.data.trim(),
      contrast: contrast(channels(getComputedStyle(element).color), ground(element)),
      size: parseFloat(getComputedStyle(element).fontSize),
      lines: new Set(boxes.map(box => Math.round(box.top))).size,
      left: Math.min(...boxes.map(box => box.left)),
      right: Math.max(...boxes.map(box => box.right)),
    });
  }
  const button = document.querySelector("a.button"), box = button && button.getBoundingClientRect();
  const grounds = [...document.querySelectorAll(".page, .card, .box")].map(element => luminance(ground(element)));
  return {
    width: innerWidth,
    widest: Math.max(document.scrollingElement.scrollWidth,
                     ...[...document.body.querySelectorAll("*")].map(one => one.getBoundingClientRect().right)),
    texts,
    grounds,
    button: button && {
      left: box.left, right: box.right, height: box.height,
      contrast: contrast(ground(button), ground(document.querySelector(".card"))),
      lines: button.getClientRects().length,
    },
    pictures: [...document.images].map(one => ({
      alt: one.alt, width: one.width, height: one.height, loaded: one.naturalWidth > 0,
      ground: luminance(ground(one)),
    })),
    title: document.title,
    lang: document.documentElement.lang,
    headings: document.querySelectorAll("h1").length,
    tables: [...document.querySelectorAll("table")].filter(one => one.getAttribute("role") !== "presentation").length,
  };
})()
"""


class Text(msgspec.Struct, frozen=True):
    text: str
    contrast: float
    size: float
    lines: int
    left: float
    right: float


class Button(msgspec.Struct, frozen=True):
    left: float
    right: float
    height: float
    contrast: float  # to the card around it
    lines: int


class Image(msgspec.Struct, frozen=True):
    alt: str
    width: float
    height: float
    loaded: bool
    ground: float


class Seen(msgspec.Struct, frozen=True):
    """`grounds` are the luminances of what everything stands on, `tables` those that say that they hold data."""

    width: float
    widest: float
    texts: list[Text]
    grounds: list[float]
    button: Button | None
    pictures: list[Image]
    title: str
    lang: str
    headings: int
    tables: int

    def text(self, text: str) -> Text:
        return next(one for one in self.texts if one.text == text)


async def inspected(browser: Browser) -> Seen:
    return msgspec.convert(await browser.evaluate(_SCRIPT), Seen)


async def fonts_of(browser: Browser, selector: str) -> set[str]:
    """The fonts that its letters were really taken from."""
    for domain in ("DOM", "CSS"):
        await browser.call(f"{domain}.enable")
    root = (await browser.call("DOM.getDocument"))["root"]["nodeId"]
    node = (await browser.call("DOM.querySelector", nodeId=root, selector=selector))["nodeId"]
    used = (await browser.call("CSS.getPlatformFontsForNode", nodeId=node))["fonts"]
    return {font["familyName"] for font in used}
