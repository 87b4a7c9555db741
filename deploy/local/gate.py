"""`python -m deploy.local.gate services.NAME`: a service that has done its imports and waits for its turn.

Imports are most of a service's start: 0.9 s of processor time each, four of them, while RabbitMQ boots for 3.5 s. Done
meanwhile, they cost nothing. The turn comes when the supervisor closes the input.
"""

from __future__ import annotations

import importlib
import runpy
import sys


def main(module: str) -> None:
    importlib.import_module(f"{module}.app")
    sys.stdin.buffer.read()
    sys.argv = [module]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1])
