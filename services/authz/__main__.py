from services.authz.app import Settings, build
from shared.service import main

main("authz", Settings, build)
