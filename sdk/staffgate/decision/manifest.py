"""What a product service publishes about itself: its part of the catalogue (permission model, section 1)."""

from __future__ import annotations

from staffgate.contracts.catalogue import Aliases, Feature, Manifest, Retired, Section

__all__ = ["Aliases", "BadManifest", "Feature", "Manifest", "Retired", "Section"]


class BadManifest(ValueError):
    """The manifests do not make one catalogue (section 1); the text says which entry is wrong, and how."""
