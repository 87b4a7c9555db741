import sys

from services.notify import commands
from services.notify.app import build
from services.notify.settings import Settings
from shared.service import main, read_settings

if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] in commands.NAMES:
        sys.exit(commands.run(sys.argv[1:], read_settings("notify", Settings)))
    main("notify", Settings, build)
