"""The README's story and the tutorial are true: their shell lines are run in one shell, and say what is printed there."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
from pathlib import Path
from uuid import uuid4

import pytest

from deploy.local.ports import free_port
from tests.system.platform import Platform

ROOT = Path(__file__).parents[2]
# In the order in which one stands on the other.
PAGES = (
    ROOT / "README.md",
    ROOT / "docs" / "tutorial" / "first-hour.md",
    ROOT / "docs" / "tutorial" / "your-first-product.md",
    *(ROOT / "docs" / "how-to" / f"{name}.md" for name in ("administer", "staff", "ask-authz", "filter-rows")),
)
_FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_MARK = "=== step {} ==="
# What is another each time.
_VARIES = (
    (r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", "ID"),
    (r"\d{4}-\d\d-\d\dT[0-9:.]+Z", "TIME"),
    (r"ORG-[A-Z0-9]{8}", "NUMBER"),
    (r'"(access_token|refresh_token|device)":"[^"]+"', r'"\1":"TOKEN"'),
    (r'"recovery_codes":\[[^\]]*\]', '"recovery_codes":[]'),
    (r'"revision":\d+', '"revision":N'),
)


def steps() -> list[tuple[str, str]]:
    """Shell lines, and what the page prints behind them (nothing, where it prints nothing)."""
    found: list[tuple[str, str]] = []
    for page in PAGES:
        text = page.read_text()
        text = text[text.find("## The story in curl") :] if page.name == "README.md" else text
        fences = _FENCE.findall(text)
        for (kind, lines), (next_kind, said) in zip(fences, [*fences[1:], ("", "")], strict=True):
            if kind == "bash":
                found.append((lines, said if next_kind in ("json", "text") else ""))
    return found


@pytest.mark.skipif(shutil.which("curl") is None, reason="the pages speak in curl, and there is none: apt install curl")
async def test_what_the_pages_print_is_what_happens(platform: Platform, tmp_path: Path) -> None:
    told = steps()
    assert len(told) > 10
    ours = {"AcmeCrates": f"AcmeCrates{uuid4().hex[:6]}", "acme.example": f"{uuid4().hex[:6]}.example"}
    script = "set -eu\ntrap 'kill $(jobs -p) 2> /dev/null || true' EXIT\n" + "".join(
        f"echo '{_MARK.format(number)}'\n{lines}" for number, (lines, _) in enumerate(told)
    )
    said = await run(adapted(script, platform, ours), tmp_path)
    for number, (lines, wanted) in enumerate(told):
        got = said.partition(_MARK.format(number))[2].partition("=== step")[0]
        for word, unique in ours.items():
            got = got.replace(unique, word)
        assert plain(got) == plain(wanted), f"after\n{lines}"


def adapted(script: str, platform: Platform, ours: dict[str, str]) -> str:
    """The same lines for the suite of the tests, which has other ports, another folder, and other tellings beside it."""
    changes = {
        "http://127.0.0.1:8101": platform.urls["identity"],
        "http://127.0.0.1:8102": platform.urls["authz"],
        "http://127.0.0.1:8105": platform.urls["mailbox"],
        "127.0.0.1:8107": f"127.0.0.1:{platform.ports.postgres}",
        "8190": str(free_port()),
        "STATE=.state": f"STATE={platform.folder}",
        ".venv/bin/python": str(ROOT / ".venv/bin/python"),
        "examples/": f"{ROOT}/examples/",
    }
    for old, new in (changes | ours).items():
        script = script.replace(old, new)
    return script


async def run(script: str, folder: Path) -> str:
    environment = {name: value for name, value in os.environ.items() if not name.lower().endswith("_proxy")}
    process = await asyncio.create_subprocess_exec(
        "bash", "-c", script, cwd=folder, env=environment,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    try:
        said, _ = await asyncio.wait_for(process.communicate(), 180)
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()[-2000:]
    return said.decode()


def plain(text: str) -> str:
    for pattern, word in _VARIES:
        text = re.sub(pattern, word, text)
    return "\n".join(line for line in text.strip().splitlines() if line)
