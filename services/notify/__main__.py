from services.notify.app import build
from services.notify.settings import Settings
from shared.service import main

if __name__ == "__main__":
    main("notify", Settings, build)
