"""The permission engine: pure, the same in the service and inside a product's process (permission model).

The way of a question:

1. `Catalogue.from_manifests(shipped())` makes one catalogue of what every product publishes (section 1).
2. `resolve(facts, catalogue)` compiles what is known of a person into a Snapshot. A closed gate leaves nothing in it (4).
3. `decide(snapshot, catalogue, question)` finds the action: the base action that it needs, and the feature if it is one.
4. The resource becomes a path of places from the inside out: the item, its section, that one's parent, the product,
   everything.
5. The gates that the question names: tenant, contract, channel, portal (4).
6. Tier 1: along the path, the grants and product access levels that no narrower one replaces; all of them have to allow.
   Tier 2: the same inside each role, and the union over the roles. Tier 3: the account default (2). Owner and
   administrator stand above the tiers.
7. What is allowed reaches rows: own, the team's, the department's, or all (3).
8. `call.route` has a destination as well: view on it, or the flag. A subscriber link opens recordings (5).
9. The Verdict says allowed, why, by which rule, at which revision, and whether the resource may be seen at all (7).

`search` asks the same of many items, and `row_filter` for all rows at once; `effective` and `tree` ask about targets
instead of resources; `difference` and `excess` compare what a person has before and after a change (6); `because` says
a verdict in words.
"""

from staffgate.decision.actions import ALL, BASE_ACTIONS, LEVELS, NONE, Mask, level_of, names
from staffgate.decision.catalogue import Action, Catalogue
from staffgate.decision.decide import decide
from staffgate.decision.difference import Difference, difference, excess
from staffgate.decision.effective import SectionAccess, effective, tree
from staffgate.decision.manifest import BadManifest, Feature, Manifest, Section
from staffgate.decision.model import Facts, Holding, Organisation, ProductAccess, Question, Reason
from staffgate.decision.rows import Columns, ItemRows, RowFilter, row_filter, where
from staffgate.decision.search import search
from staffgate.decision.shipped import CHANNEL_ITEMS, shipped
from staffgate.decision.snapshot import Shared, Snapshot, Verdict, resolve, stranger
from staffgate.decision.words import because

__all__ = [
    "ALL",
    "BASE_ACTIONS",
    "CHANNEL_ITEMS",
    "LEVELS",
    "NONE",
    "Action",
    "BadManifest",
    "Catalogue",
    "Columns",
    "Difference",
    "Facts",
    "Feature",
    "Holding",
    "ItemRows",
    "Manifest",
    "Mask",
    "Organisation",
    "ProductAccess",
    "Question",
    "Reason",
    "RowFilter",
    "Section",
    "SectionAccess",
    "Shared",
    "Snapshot",
    "Verdict",
    "because",
    "decide",
    "difference",
    "effective",
    "excess",
    "level_of",
    "names",
    "resolve",
    "row_filter",
    "search",
    "shipped",
    "stranger",
    "tree",
    "where",
]
