"""`python -m deploy.local COMMAND`; ./dev prepares the environment and comes here."""

import sys

from deploy.local.cli import main

sys.exit(main(sys.argv[1:]))
