import sys

from services.identity import commands
from services.identity.app import Settings, build
from shared.service import main, read_settings

if len(sys.argv) > 1 and sys.argv[1] in commands.NAMES:
    sys.exit(commands.run(sys.argv[1:], read_settings("identity", Settings)))
main("identity", Settings, build)
