"""Registry descriptors of the decision problems; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.robust import settings as s
from equilibria.sim.plugin import Plugin, Settings

_IWOCS = "Zouitine, Geist, Rachelson (2024), arXiv 2410.06212"
_PROTECTED = "Liu et al. (2024), ICLR, arXiv 2402.12673"
_PARL = "Chakraborty et al. (2024), ICLR, arXiv 2308.02585"


def _game(name: str, form: str, summary: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="game",
        name=name,
        summary=summary,
        target=f"equilibria.games.robust.build:{name}",
        settings=settings,
        engines=("extensive",),
        forms=(form,),
        reference=reference,
    )


windy_walk = _game(
    "windy_walk", "robust", "Three corridors to a goal against an unknown wind", s.WindyWalkSettings, _IWOCS
)
random_robust_mdp = _game(
    "random_robust_mdp",
    "robust",
    "A random decision process whose kernels nature chooses per state and action",
    s.RandomRectangularSettings,
    _IWOCS,
)
policy_payoffs = _game(
    "policy_payoffs", "policies", "A few policies against opponents that change", s.PolicyPayoffsSettings, _PROTECTED
)
laffer_curve = _game(
    "laffer_curve", "design", "A worker's effort under a tax rate that the designer sets", s.LafferSettings, _PARL
)
posted_price = _game(
    "posted_price",
    "design",
    "A buyer with a private value and a price that the seller sets",
    s.PostedPriceSettings,
    _PARL,
)
