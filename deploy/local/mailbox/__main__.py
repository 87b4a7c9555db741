"""`python -m deploy.local.mailbox --folder DIR`, with its ports and the SMS account in MAILBOX_* variables."""

from __future__ import annotations

import argparse
import asyncio
import os
from pathlib import Path

from deploy.local.mailbox.server import Place, serve
from deploy.local.ports import HOST


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m deploy.local.mailbox", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True)
    place = Place(
        host=HOST,
        http_port=int(os.environ["MAILBOX_HTTP_PORT"]),
        smtp_port=int(os.environ["MAILBOX_SMTP_PORT"]),
        sms_sid=os.environ["MAILBOX_SMS_SID"],
        sms_token=os.environ["MAILBOX_SMS_TOKEN"],
    )
    asyncio.run(serve(parser.parse_args().folder, place))


if __name__ == "__main__":
    main()
