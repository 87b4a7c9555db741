"""Pictures kept to compare with: every eighth dot of the real ones, which is enough to see that something has moved, is
gone or has another colour, and too little to see how a newer browser draws the edges of its letters."""

from __future__ import annotations

import base64
from pathlib import Path

import msgspec

from tests.pictures.browser import Browser

FOLDER = Path(__file__).parent / "kept"
BLOCK = 8
_FAR = 16  # of 255
_SHARE = 0.005  # of the blocks that may be so far off
_SCRIPT = r"""
(async (source, block) => {
  const bytes = Uint8Array.from(atob(source), letter => letter.charCodeAt(0));
  const picture = await createImageBitmap(new Blob([bytes], {type: "image/png"}));
  const width = Math.floor(picture.width / block), height = Math.floor(picture.height / block);
  const whole = new OffscreenCanvas(picture.width, picture.height), pen = whole.getContext("2d");
  pen.drawImage(picture, 0, 0);
  const dots = pen.getImageData(0, 0, width * block, height * block).data;
  const small = new ImageData(width, height);
  for (let y = 0; y < height; y++) for (let x = 0; x < width; x++) for (let channel = 0; channel < 4; channel++) {
    let sum = 0;
    for (let j = 0; j < block; j++) for (let i = 0; i < block; i++)
      sum += dots[((y * block + j) * width * block + x * block + i) * 4 + channel];
    small.data[(y * width + x) * 4 + channel] = Math.round(sum / block / block);
  }
  const canvas = new OffscreenCanvas(width, height);
  canvas.getContext("2d").putImageData(small, 0, 0);
  const png = new Uint8Array(await (await canvas.convertToBlob({type: "image/png"})).arrayBuffer());
  const text = data => btoa(String.fromCharCode(...data));
  let all = "";
  for (let at = 0; at < small.data.length; at += 8192) all += String.fromCharCode(...small.data.subarray(at, at + 8192));
  let kept = "";
  for (let at = 0; at < png.length; at += 8192) kept += String.fromCharCode(...png.subarray(at, at + 8192));
  return {width, height, dots: btoa(all), png: btoa(kept)};
})
"""


class Small(msgspec.Struct, frozen=True):
    width: int
    height: int
    dots: bytes  # red, green, blue and alpha of each
    png: bytes


async def small(browser: Browser, png: bytes, block: int = BLOCK) -> Small:
    source = base64.b64encode(png).decode()
    return msgspec.convert(await browser.evaluate(f"({_SCRIPT})('{source}', {block})"), Small)


def path(name: str, width: int, dark: bool) -> Path:
    return FOLDER / f"{name}.{width}.{'dark' if dark else 'light'}.png"


async def difference(browser: Browser, picture: bytes, kept: bytes) -> str:
    """What a person would notice, or nothing."""
    now, before = await small(browser, picture), await small(browser, kept, 1)
    if (now.width, now.height) != (before.width, before.height):
        return f"{now.width} x {now.height} blocks, and {before.width} x {before.height} before"
    blocks = range(0, len(now.dots), 4)
    far = [at for at in blocks if max(abs(now.dots[at + i] - before.dots[at + i]) for i in range(3)) > _FAR]
    share = len(far) / len(blocks)
    top = min(far, default=0) // 4 // now.width * BLOCK
    return f"{share:.1%} of it looks different, from {top} dots below the top on" if share > _SHARE else ""
