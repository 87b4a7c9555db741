"""The development mailbox in a container: its account comes in files, and the other containers can reach it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from deploy.local.mailbox import server

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - of this container
_HTTP, _SMTP = 8080, 2525


async def serve(folder: Path, account: Path) -> None:
    sid, token = ((account / name).read_text() for name in ("sms_sid", "sms_token"))
    await server.serve(folder, server.Place(_EVERYWHERE, _HTTP, _SMTP, sid, token))


if __name__ == "__main__":
    asyncio.run(serve(Path("/data"), Path("/secrets/mailbox")))
