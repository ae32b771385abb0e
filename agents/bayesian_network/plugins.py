"""Registry descriptors of the Bayesian-network solvers; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings, CoordinationRatioSettings
from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.sim.plugin import Plugin

_PAPER = "Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920"
_BUILD = "equilibria.agents.bayesian_network.deep.build"

bn_policy_gradient = Plugin(
    kind="agent",
    name="bn_policy_gradient",
    summary="Exact policy gradient on joint policies in which agents condition on their parents' actions",
    target="equilibria.agents.bayesian_network.build:bn_policy_gradient",
    settings=BNSettings,
    engines=("extensive",),
    forms=("cooperative",),
    reference=_PAPER,
    produces="solver",
)
bn_mappo = Plugin(
    kind="agent",
    name="bn_mappo",
    summary="MAPPO on joint policies in which agents condition on their parents in a fixed or learned graph",
    target=f"{_BUILD}:bn_mappo",
    settings=BNMAPPOSettings,
    engines=("training",),
    forms=("vector",),
    requires="learn",
    modules=("torch",),
    reference=_PAPER,
    produces="solver",
)
coordination_ratio = Plugin(
    kind="metric",
    name="coordination_ratio",
    summary="Exact return of a BN-MAPPO policy in the coordination game over the best return",
    target=f"{_BUILD}:CoordinationRatio",
    settings=CoordinationRatioSettings,
    engines=("training",),
    forms=("vector",),
    requires="learn",
    modules=("torch",),
    unit="share of the optimum",
    direction="higher",
)
