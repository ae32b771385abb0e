"""Registry descriptors of the decision problems; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.robust import settings as s
from equilibria.sim.plugin import Family

_IWOCS = "Zouitine, Geist, Rachelson (2024), arXiv 2410.06212"
_PROTECTED = "Liu et al. (2024), ICLR, arXiv 2402.12673"
_PARL = "Chakraborty et al. (2024), ICLR, arXiv 2308.02585"

_FAMILY = Family(package="equilibria.games.robust", engines=("extensive",), forms=("robust",))

windy_walk = _FAMILY.game(
    "windy_walk",
    "Three corridors to a goal against an unknown wind",
    "build:windy_walk",
    s.WindyWalkSettings,
    reference=_IWOCS,
)
inventory = _FAMILY.game(
    "inventory",
    "A store with backlog that does not know mean demand",
    "build:store",
    s.InventorySettings,
    reference=_IWOCS,
)
windy_walk_models = _FAMILY.game(
    "windy_walk_models",
    "The windy walk as worlds for learners, one per wind",
    "build:windy_walk_models",
    s.WindyWalkModelsSettings,
    engines=("training",),
    forms=("models",),
    reference=_IWOCS,
)
inventory_models = _FAMILY.game(
    "inventory_models",
    "A store with backlog as worlds for learners, one per mean demand",
    "build:store_models",
    s.InventoryModelsSettings,
    engines=("training",),
    forms=("models",),
    reference=_IWOCS,
)
random_robust_mdp = _FAMILY.game(
    "random_robust_mdp",
    "A random decision process whose kernels nature chooses per state and action",
    "build:random_robust_mdp",
    s.RandomRectangularSettings,
    reference=_IWOCS,
)
policy_payoffs = _FAMILY.game(
    "policy_payoffs",
    "A few policies against opponents that change",
    "build:policy_payoffs",
    s.PolicyPayoffsSettings,
    forms=("policies",),
    reference=_PROTECTED,
)
laffer_curve = _FAMILY.game(
    "laffer_curve",
    "A worker's effort under a tax rate that the designer sets",
    "build:laffer_curve",
    s.LafferSettings,
    forms=("design",),
    reference=_PARL,
)
posted_price = _FAMILY.game(
    "posted_price",
    "A buyer with a private value and a price that the seller sets",
    "build:posted_price",
    s.PostedPriceSettings,
    forms=("design",),
    reference=_PARL,
)
