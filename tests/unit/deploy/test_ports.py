"""Ports for servers that begin to listen later."""

from __future__ import annotations

import os
import socket

import pytest

from deploy.local import ports
from deploy.local.errors import PlatformError
from deploy.local.ports import HOST, free_port, is_free


def test_each_is_another_and_none_that_a_connection_could_be_given() -> None:
    found = [free_port() for _ in range(200)]
    assert len(set(found)) == len(found)
    assert all(16_384 <= port < 32_768 for port in found)


def test_what_is_listened_on_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = free_port()
    monkeypatch.setitem(ports._turns, os.getpid(), iter([taken - 16_384, taken - 16_383, taken - 16_382]))
    with socket.socket() as server:
        server.bind((HOST, taken))
        server.listen()
        assert not is_free(taken)
        assert free_port() != taken


def test_another_process_begins_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    own = free_port()
    monkeypatch.setattr(os, "getpid", lambda: 4_000_001)
    monkeypatch.setattr(ports, "_turns", {})
    assert abs(free_port() - (16_384 + 4_000_001 * 509 % 16_384)) < 100
    assert own


def test_where_none_is_free_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_free", lambda _port: False)
    with pytest.raises(PlatformError, match="No port"):
        free_port()
