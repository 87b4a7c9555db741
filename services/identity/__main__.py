from services.identity.app import Settings, build
from shared.service import main

main("identity", Settings, build)
