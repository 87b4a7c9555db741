"""An organisation's colour, and its logo: seen on any ground, and nothing but a picture."""

from __future__ import annotations

from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notify.brand import images
from services.notify.brand.brands import PLAIN, Brand
from services.notify.brand.look import DARK_CARD, LIGHT_CARD, contrast, ink_on, look, seen_on
from services.notify.channels.port import LOGO_ID, Picture
from services.notify.content.tags import LOCALES
from staffgate.contracts.notify import Locale
from tests.service.notify.logos import JPEG, PNG, chunk, png

colours = st.integers(0, 0xFFFFFF).map("#{:06x}".format)


# --- colours --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "ratio"),
    [("#000000", "#ffffff", 21), ("#ffffff", "#ffffff", 1), ("#777777", "#ffffff", 4.48), ("#1f5fd0", "#ffffff", 5.82)],
)
def test_contrast_is_that_of_wcag(one: str, other: str, ratio: float) -> None:
    assert round(contrast(one, other), 2) == round(contrast(other, one), 2) == ratio


@given(colours)
def test_the_words_of_a_button_can_be_read_on_any_colour(colour: str) -> None:
    for card in (LIGHT_CARD, DARK_CARD):
        ground = seen_on(colour, card)
        assert contrast(ink_on(ground), ground) >= 4.5
        assert contrast(ground, card) >= 1.6


@given(colours)
def test_a_colour_that_can_be_seen_stays_what_it_is(colour: str) -> None:
    for card in (LIGHT_CARD, DARK_CARD):
        if contrast(colour, card) >= 1.6:
            assert seen_on(colour, card) == colour


def test_white_is_wanted_where_it_can_be_read() -> None:
    assert (ink_on("#1f5fd0"), ink_on("#f2b600")) == ("#ffffff", "#000000")


def test_without_a_brand_it_is_ours() -> None:
    plain = look(PLAIN)
    assert (plain["colour"], plain["ink_on_colour"]) == ("#1f5fd0", "#ffffff")
    assert (plain["colour_in_dark"], plain["ink_in_dark"]) == ("#6ea8ff", "#000000")
    assert plain["logo"] == ""


def test_a_brand_speaks_only_languages_that_there_are() -> None:
    assert set(get_args(Locale)) == set(LOCALES)


# --- logos ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("width", "height", "shown"),
    [(96, 32, (96, 32)), (1200, 100, (220, 18)), (400, 400, (40, 40)), (1200, 16, (220, 3)), (16, 16, (16, 16))],
)
def test_a_logo_is_shown_as_large_as_there_is_room_for(width: int, height: int, shown: tuple[int, int]) -> None:
    brand = look(Brand(logo=Picture(content=png(width, height), subtype="png")))
    assert brand["logo"] == f"cid:{LOGO_ID}"
    assert (int(brand["logo_width"]), int(brand["logo_height"])) == shown


@pytest.mark.parametrize(("content", "kind", "size"), [(PNG, "png", (96, 32)), (JPEG, "jpeg", (32, 24))])
def test_a_picture_is_known_by_what_it_is(content: bytes, kind: str, size: tuple[int, int]) -> None:
    picture = images.read(content)
    assert (picture.subtype, picture.content) == (kind, content)
    assert images.size(content) == size


def test_what_cameras_and_editors_write_is_left_out() -> None:
    private = chunk(b"tEXt", b"Author\0Jane, 12 Crate Street"), chunk(b"eXIf", b"GPS 1.2.3")
    assert images.read(png(96, 32, *private)).content == PNG
    exif = b"\xff\xe1\x00\x0cExif\0\0GPS."
    comment = b"\xff\xfe\x00\x06Jane"
    assert images.read(JPEG[:2] + exif + comment + JPEG[2:]).content == JPEG


def test_moving_pictures_stand_still() -> None:
    assert images.read(png(96, 32, chunk(b"acTL", bytes(8)))).content == PNG


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "neither"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>", "neither"),
        (b"GIF89a" + bytes(100), "neither"),
        (PNG[:-1], "broken"),
        (PNG + b"<script>alert(1)</script>", "broken"),
        (PNG[:8], "broken"),
        (PNG[:45] + bytes([PNG[45] ^ 1]) + PNG[46:], "broken"),  # a sum that does not fit
        (PNG.replace(b"IHDR", b"IHDX"), "broken"),
        (PNG + PNG[8:], "broken"),
        (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", bytes(13)) + chunk(b"IEND", b""), "broken"),
        (JPEG[:-2], "broken"),
        (JPEG[:3], "broken"),
        (JPEG + b"<script>", "broken"),
        (JPEG[:2] + JPEG[-2:], "broken"),
        (JPEG[:20] + JPEG[21:], "broken"),
        (png(15, 200), "pixels"),
        (png(16, 1201), "pixels"),
        (png(20, 20, chunk(b"tEXt", bytes(70_000))), "KiB"),
    ],
)
def test_what_is_no_picture_is_refused(content: bytes, why: str) -> None:
    with pytest.raises(images.Unreadable, match=why):
        images.read(content)


@given(st.integers(0, len(JPEG) - 1), st.binary(min_size=1, max_size=4), st.sampled_from([PNG, JPEG]))
def test_no_bytes_break_it(at: int, instead: bytes, content: bytes) -> None:
    """It is read, or refused with a reason."""
    try:
        picture = images.read(content[:at] + instead + content[at + len(instead) :])
    except images.Unreadable:
        return
    assert min(images.size(picture.content)) >= 16
    assert images.read(picture.content) == picture
