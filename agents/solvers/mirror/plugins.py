"""Descriptors of magnetic mirror descent and its metric for the registry; imports no kernels."""

from __future__ import annotations

from equilibria.agents.solvers.mirror.settings import MMDSettings
from equilibria.sim.plugin import Plugin

mmd = Plugin(
    kind="agent",
    name="mmd",
    summary="Magnetic mirror descent: quantal response and Nash equilibria from the last iterate",
    target="equilibria.agents.solvers.mirror.build:build",
    settings=MMDSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Sokota et al. (2023), ICLR, arXiv 2206.05825",
    produces="solver",
)

regularised_gap = Plugin(
    kind="metric",
    name="regularised_gap",
    summary="Distance of magnetic mirror descent from its quantal response equilibrium",
    target="equilibria.agents.solvers.mirror.metrics:regularised_gap",
    engines=("extensive",),
    forms=("extensive",),
    reference="Sokota et al. (2023), ICLR, arXiv 2206.05825",
    unit="game payoff",
    direction="lower",
)
