"""Registry descriptor of the sealed-bid solver; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.sealed_bid.settings import BayesianCFRPlusSettings
from equilibria.sim.plugin import Plugin

bayesian_cfr_plus = Plugin(
    kind="agent",
    name="bayesian_cfr_plus",
    summary="CFR+ for sealed-bid auctions, on the distribution of the others' bids.",
    target="equilibria.agents.solvers.sealed_bid.solver:build",
    settings=BayesianCFRPlusSettings,
    engines=("extensive",),
    forms=("sealed_bid",),
    reference="Tammelin (2014), arXiv 1407.5042",
    produces="solver",
)
