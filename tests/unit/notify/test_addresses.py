"""Which addresses are one, as far as it is about whether anything is sent there: what is one mailbox, and never two."""

from __future__ import annotations

import pytest

from services.notify.channels.letter import address
from services.notify.suppression.addresses import Addresses, canonical, masked

ADDRESSES = Addresses(bytes(32))


def is_one(one: str, other: str) -> bool:
    return ADDRESSES.digest("email", one) == ADDRESSES.digest("email", other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jane@stra\u00dfe.example", "jane@strasse.example"),  # two domains: IDNA 2003 had them as one
        ("jane@\u03b2\u03cc\u03bb\u03bf\u03c2.example", "jane@\u03b2\u03cc\u03bb\u03bf\u03c3.example"),
        ("stra\u00dfe@acme.example", "strasse@acme.example"),
        ("\uff4aane@acme.example", "jane@acme.example"),
        ("o\ufb03ce@acme.example", "office@acme.example"),
        ("jane\u00b2@acme.example", "jane2@acme.example"),
        ("jane+x@acme.example", "jane@acme.example"),
    ],
)
def test_two_mailboxes_are_two(one: str, other: str) -> None:
    """Each can be written to by itself, so that one is dead says nothing of the other."""
    assert address(one).addr_spec != address(other).addr_spec
    assert not is_one(one, other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Jane.Doe@ACME.example", " jane.doe@acme.example "),
        ("jan\u00e9@acme.example", "JANE\u0301@acme.example"),
        ("jane@B\u00dcCHER.example", "jane@XN--bcher-kva.example"),
        ("jane@bu\u0308cher.example", "jane@b\u00fccher.example"),
        ("jane@stra\u00dfe.example", "jane@xn--strae-oqa.example"),
        ("jane@\uff41cme.example", "jane@acme.example"),  # as the DNS has it
        ("jane@acme.example.", "jane@acme.example"),
    ],
)
def test_one_mailbox_is_one_however_it_is_written(one: str, other: str) -> None:
    assert is_one(one, other)


@pytest.mark.parametrize(
    "text", ["", "@", "jane", "jane@\u202eacme.example", "jane@xn--\u00fc.example", "\u00fc" * 300]
)
def test_what_is_no_address_is_still_a_text(text: str) -> None:
    assert canonical("email", text) == canonical("email", text.upper())
    assert "***@" in masked("email", text)
