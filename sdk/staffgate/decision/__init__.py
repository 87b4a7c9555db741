"""The permission engine: pure, the same in the service and inside a product's process (permission model).

The way of a question:

1. `Catalogue.from_manifests(shipped())` makes one catalogue of what every product publishes (section 1).
2. `resolve(facts, catalogue)` compiles what is known of a person into a Snapshot. A closed gate leaves nothing in it (4).
3. `decide(snapshot, catalogue, question)` finds the action: the base action that it needs, and the feature if it is one.
4. The resource becomes a path of places from the inside out: the item, its section, that one's parent.
5. Tier 1: outwards along the path, the grants that no narrower one replaces. All of them have to allow (2).
6. Where no grant says anything, the account default does (2). Owner and administrator stand above both.
7. `call.route` has a destination as well: view on it, or the flag (5).
8. The Verdict says allowed, why, by which rule, at which revision, and whether the resource may be seen at all (7).
9. `search` asks the same of many items; `effective`, `throughout` and `tree` ask about targets instead of resources.
"""

from staffgate.decision.actions import ALL, BASE_ACTIONS, LEVELS, NONE, Mask, level_of, names, within
from staffgate.decision.catalogue import Action, Catalogue
from staffgate.decision.decide import decide
from staffgate.decision.effective import SectionAccess, effective, throughout, tree
from staffgate.decision.manifest import BadManifest, Feature, Manifest, Section
from staffgate.decision.model import Facts, Question, Reason
from staffgate.decision.search import search
from staffgate.decision.shipped import CHANNEL_ITEMS, shipped
from staffgate.decision.snapshot import Snapshot, Verdict, resolve, stranger

__all__ = [
    "ALL",
    "BASE_ACTIONS",
    "CHANNEL_ITEMS",
    "LEVELS",
    "NONE",
    "Action",
    "BadManifest",
    "Catalogue",
    "Facts",
    "Feature",
    "Manifest",
    "Mask",
    "Question",
    "Reason",
    "Section",
    "SectionAccess",
    "Snapshot",
    "Verdict",
    "decide",
    "effective",
    "level_of",
    "names",
    "resolve",
    "search",
    "shipped",
    "stranger",
    "throughout",
    "tree",
    "within",
]
