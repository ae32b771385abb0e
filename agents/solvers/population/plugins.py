"""Descriptor of PSRO; imports no kernels."""

from __future__ import annotations

from equilibria.agents.solvers.population.settings import PSROSettings
from equilibria.sim.plugin import Plugin

psro = Plugin(
    kind="agent",
    name="psro",
    summary="Policy-space response oracles with exact payoffs; meta-solvers shor, pm, nash, alpharank, (c)ce and more",
    target="equilibria.agents.solvers.population.build:build",
    settings=PSROSettings,
    engines=("extensive",),
    reference="Lanctot et al. (2017), arXiv 1711.00832; Li et al. (2026), arXiv 2602.16928; Marris et al. (2021)",
    produces="solver",
)
