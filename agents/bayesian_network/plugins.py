"""Registry descriptor of the Bayesian-network solver; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.bayesian_network.settings import BNSettings
from equilibria.sim.plugin import Plugin

bn_policy_gradient = Plugin(
    kind="agent",
    name="bn_policy_gradient",
    summary="Exact policy gradient on joint policies in which agents condition on their parents' actions",
    target="equilibria.agents.bayesian_network.build:bn_policy_gradient",
    settings=BNSettings,
    engines=("extensive",),
    forms=("cooperative",),
    reference="Chen and Zhang (2023), Context-Aware Bayesian Network Actor-Critic, arXiv 2306.01920",
    produces="solver",
)
