"""Descriptor of magnetic mirror descent for the registry; imports no kernels."""

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
    reference="Sokota et al. (2023), ICLR, arXiv 2206.05825",
    produces="solver",
)
