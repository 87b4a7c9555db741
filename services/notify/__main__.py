from services.notify.app import Settings, build
from shared.service import main

if __name__ == "__main__":
    main("notify", Settings, build)
