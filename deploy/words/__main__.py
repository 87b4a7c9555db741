"""`python -m deploy.words`: bring the catalogs up to date with the source, and list what a translator has to do."""

from __future__ import annotations

from deploy.words import TAGS, untold, updated, written
from services.notify.content import catalogs


def main() -> None:
    for tag in TAGS:
        catalog = updated(tag)
        catalogs.file(tag).write_bytes(written(catalog))
        missing = list(untold(catalog))
        print(f"{tag}: {len(catalog)} sentences, {len(missing)} to translate")
        for sentence in missing:
            print(f"    {sentence}")


if __name__ == "__main__":
    main()
