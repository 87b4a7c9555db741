"""What authz's operations work with."""

from __future__ import annotations

from dataclasses import dataclass

from services.authz.at_once import AtOnce
from services.authz.candidates import Candidates
from services.authz.catalogue import Catalogues
from services.authz.changes import Changes
from services.authz.decisions import Decisions
from services.authz.drift import Drifts
from services.authz.explanations import Explanations
from services.authz.holders import Holders
from services.authz.items import Items
from services.authz.listing import Listing
from services.authz.manifests import Manifests
from services.authz.replicas import Replicas
from services.authz.rows import Rows
from services.authz.searches import Searches
from services.authz.stream import Streams
from services.authz.views import Views
from staffgate.contracts.decisions import Metadata


@dataclass(frozen=True)
class Authz:
    decisions: Decisions
    at_once: AtOnce
    searches: Searches
    holders: Holders
    explanations: Explanations
    catalogues: Catalogues
    manifests: Manifests
    drifts: Drifts
    items: Items
    listing: Listing
    changes: Changes
    candidates: Candidates
    views: Views
    replicas: Replicas
    streams: Streams
    rows: Rows
    metadata: Metadata
