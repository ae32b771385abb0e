"""Descriptor of Monte Carlo counterfactual regret minimisation; imports no kernels."""

from __future__ import annotations

from equilibria.agents.solvers.regret.sampling_settings import MCCFRSettings
from equilibria.sim.plugin import Plugin

mccfr = Plugin(
    kind="agent",
    name="mccfr",
    summary="Monte Carlo CFR: external or outcome sampling, optional variance-reducing baselines",
    target="equilibria.agents.solvers.regret.sampling_build:build",
    settings=MCCFRSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Lanctot et al. (2009), NeurIPS; Schmid et al. (2019), AAAI",
    produces="solver",
)
