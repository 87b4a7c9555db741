"""What a library logs is a line of JSON like ours, whatever somebody sent."""

from __future__ import annotations

import json
import logging
import socket
import subprocess
import sys

import pytest

from shared.log import LibraryLine

_TYPED = 'Jane\r\n{"event":"fine"}\x1b[31m\u2028"'


def record(message: str, *, raising: bool = False) -> logging.LogRecord:
    fault = None
    if raising:
        try:
            raise ValueError(f"Invalid header value: {_TYPED} Authorization: Bearer secret")
        except ValueError:
            fault = sys.exc_info()
    return logging.LogRecord("aiohttp.server", logging.ERROR, __file__, 1, message, None, fault)


@pytest.mark.checklist("O03", "G15")
def test_a_library_s_words_stay_one_line_and_what_it_quotes_stays_out() -> None:
    line = LibraryLine().format(record(f"refused {_TYPED}", raising=True))
    assert line.isascii()
    assert line.isprintable()
    said = json.loads(line)
    assert (said["event"], said["exception"]) == (f"refused {_TYPED}", "ValueError")
    assert "secret" not in line
    assert said["at"].startswith(__file__)


@pytest.mark.checklist("O03")
def test_a_service_logs_its_libraries_so() -> None:
    program = (
        "import logging; from shared import log; log.configure('identity', 'info');"
        r"logging.getLogger('aiohttp.server').error('a\nb \x1b[31m')"
    )
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert [json.loads(line)["event"] for line in said.splitlines()] == ["a\nb \x1b[31m"]


@pytest.mark.checklist("O03")
def test_a_line_and_its_end_are_written_at_once() -> None:
    """Several workers write to one pipe: in two writes, another's line comes between."""
    program = (
        "import structlog; from shared import log; log.configure('identity', 'info', worker=2);"
        "[structlog.get_logger().info('answered', number=number) for number in range(3)]"
    )
    ours, theirs = socket.socketpair(type=socket.SOCK_SEQPACKET)  # each write is a packet of its own
    with ours, theirs:
        subprocess.run([sys.executable, "-u", "-c", program], stdout=theirs, check=True)
        theirs.close()
        packets = [ours.recv(4096) for _ in range(4)]
    assert packets.pop() == b""
    assert all(packet.endswith(b"}\n") for packet in packets)
    assert [(line["number"], line["worker"]) for line in map(json.loads, packets)] == [(0, 2), (1, 2), (2, 2)]
