"""Decisions in process side by side with other engines: `./dev bench inprocess`.

pycasbin, Cedar, regorus and oso, each in its quickest form, and ours: as a product asks its replica what was asked
before and what never was, and the engine alone. One thread; 1,000 people, 20 roles, 50 kinds, 4 actions, and for ours
the whole model on top. Nothing is measured before everybody has answered as the oracle does.

The other engines are installed into an environment of their own, made when it is first needed. `--quick`: five short
rounds; `--keep`: keep the result in benchmarks/results; `--check`: fail where a ratio is worse than the one kept.
"""

from __future__ import annotations

import subprocess
import sys

from benchmarks import environment


def main() -> int:
    try:
        python = environment.python()
    except environment.NotMade as reason:
        print(f"The environment of the other engines can't be made: {reason}", file=sys.stderr)
        return 1
    argv = [str(python), "-m", "benchmarks.engines", *sys.argv[1:]]
    return subprocess.run(argv, cwd=environment.ROOT, env=environment.variables(), check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
