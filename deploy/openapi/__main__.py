"""`python -m deploy.openapi`: write the documents anew. A test holds them to the code."""

from __future__ import annotations

from deploy.openapi import SERVICES, generated, stored


def main() -> None:
    for service in SERVICES:
        document = generated(service)
        changed = not stored(service).exists() or stored(service).read_bytes() != document
        stored(service).write_bytes(document)
        print(f"{stored(service).name}: {'written' if changed else 'as it was'}")


if __name__ == "__main__":
    main()
