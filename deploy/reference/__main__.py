"""`python -m deploy.reference`: write the pages anew. A test holds them to the code."""

from __future__ import annotations

from deploy.reference import FOLDER, PAGES, generated


def main() -> None:
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in PAGES:
        (FOLDER / name).write_text(generated(name))
        print(FOLDER / name)


if __name__ == "__main__":
    main()
