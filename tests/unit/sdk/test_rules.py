"""The table of what each route takes: one reading of every path, or none."""

from __future__ import annotations

import pytest

from staffgate.rules import PUBLIC, SIGNED_IN, Requires, Rules, filled, plain

READ = Requires("sms.read", ("inbox", "{inbox}"))
SEND = Requires("sms.send", ("inbox", "{inbox}"))


def test_a_path_has_the_rule_that_names_it_best() -> None:
    every = PUBLIC, SIGNED_IN, READ, SEND, Requires("sms.delete", ("section", "sms"))
    public, signed_in, read, send, delete = every
    rules = Rules(
        {
            ("GET", "/{a}/{inbox}"): read,
            ("GET", "/inboxes/*"): delete,
            ("GET", "/inboxes/{inbox}"): send,
            ("GET", "/inboxes/all"): signed_in,
            ("GET", "/"): public,
        }
    )
    assert rules.match("GET", "/") == (public, {})
    assert rules.match("GET", "/inboxes/all") == (signed_in, {})
    assert rules.match("GET", "/inboxes/sales") == (send, {"inbox": "sales"})
    assert rules.match("GET", "/inboxes/sales/deep/down") == (delete, {})
    assert rules.match("GET", "/other/sales") == (read, {"a": "other", "inbox": "sales"})
    for path in ("/inboxes", "/inboxes/", "/other", "/other/", "//sales", "/other/sales/", ""):
        assert rules.match("GET", path) is None, path


def test_head_has_a_rule_of_its_own_or_that_of_get() -> None:
    rules = Rules(
        {("GET", "/a"): READ_FIXED, ("GET", "/b"): READ_FIXED, ("HEAD", "/b"): PUBLIC, ("GET", "/{c}"): READ_C}
    )
    assert rules.match("HEAD", "/a") == (READ_FIXED, {})
    assert rules.match("HEAD", "/b") == (PUBLIC, {})
    assert rules.match("HEAD", "/c") == (READ_C, {"c": "c"})
    assert rules.of("HEAD", "/a") is READ_FIXED
    assert rules.of("HEAD", "/b") is PUBLIC
    assert rules.match("POST", "/a") is rules.of("POST", "/a") is None


READ_FIXED = Requires("sms.read", ("section", "sms"))
READ_C = Requires("sms.read", ("inbox", "{c}"))


@pytest.mark.parametrize(
    ("method", "path", "rule"),
    [
        ("get", "/a", PUBLIC),
        ("*", "/a", PUBLIC),
        ("GET", "a", PUBLIC),
        ("GET", "", PUBLIC),
        ("GET", "/a//b", PUBLIC),
        ("GET", "/a/../b", PUBLIC),
        ("GET", "/a%2fb", PUBLIC),
        ("GET", "/a/{b}.txt", PUBLIC),
        ("GET", "/a/{b:int}", PUBLIC),
        ("GET", "/a/{b}/{b}", PUBLIC),
        ("GET", "/*/a", PUBLIC),
        ("GET", "/{inbox}/{id}", READ_C),
        ("GET", "/a/*", READ),
    ],
)
def test_a_table_that_can_not_be_understood_is_none(method: str, path: str, rule: Requires) -> None:
    with pytest.raises(ValueError, match=r"method|path|placeholder"):
        Rules({(method, path): rule})


def test_two_rules_for_the_same_paths_are_refused() -> None:
    with pytest.raises(ValueError, match="same paths"):
        Rules({("GET", "/inboxes/{inbox}"): READ, ("GET", "/inboxes/{id}"): PUBLIC})
    Rules({("GET", "/inboxes/{inbox}"): READ, ("POST", "/inboxes/{inbox}"): SEND})


def test_what_has_no_rule_is_listed_however_a_router_writes_it() -> None:
    rules = Rules({("GET", "/inboxes/{inbox}"): READ, ("POST", "/inboxes/{inbox}"): SEND, ("GET", "/café"): PUBLIC})
    routes = [
        ("GET", "/inboxes/{inbox:path}"), ("HEAD", "/inboxes/{inbox}"), ("*", "/inboxes/{inbox}"), ("GET", "/caf%C3%A9"),
        ("PUT", "/inboxes/{inbox}"), ("GET", "/inboxes/{id}"), ("*", "/other"),
    ]  # fmt: skip
    assert rules.missing(routes) == ["* /other", "GET /inboxes/{id}", "PUT /inboxes/{inbox}"]


def test_only_an_id_that_is_one_whole_placeholder_is_filled() -> None:
    parameters = {"inbox": "sales"}
    assert filled(("inbox", "{inbox}"), parameters) == ("inbox", "sales")
    assert filled(("contact", "{inbox}", {"owner": "x"}), parameters) == ("contact", "sales", {"owner": "x"})
    for as_it_is in (("inbox", "x{inbox}"), ("section", "sms"), ("inbox", "{}")):
        assert filled(as_it_is, parameters) == as_it_is


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/a//b", b"/a//b"), ("//a", b"//a"), ("/a/./b", b"/a/./b"), ("/a/../b", b"/a/%2e./b"), ("/..", b"/.."),
        ("/a/b", b"/a%2Fb"), ("/a\\b", b"/a%5cb"), ("/a\\b", None), ("/a%2fb", b"/a%252fb"), ("/a\0", b"/a%00"), ("/a\ufffd", b"/a%ff"),
        ("/a\ud800", None), ("/a\nb", b"/a%0ab"), ("a", b"a"), ("", b""), ("*", b"*"),
    ],
)  # fmt: skip
def test_a_path_with_two_readings_is_not_plain(path: str, raw: bytes | None) -> None:
    assert not plain(path, raw)


@pytest.mark.parametrize(
    ("path", "raw"),
    [
        ("/", b"/"), ("/a/b", b"/a/b"), ("/a b", b"/a%20b"), ("/é", b"/%C3%A9"), ("/a.b/...", b"/a.b/..."),
        ("/100%", b"/100%25"), ("/a/", b"/a/"), ("/a/b", None), ("/+61491570006", b"/%2B61491570006"),
    ],
)  # fmt: skip
def test_what_everybody_reads_alike_is_plain(path: str, raw: bytes | None) -> None:
    assert plain(path, raw)
