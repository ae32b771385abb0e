"""Descriptors of update-equivalent search for the registry; imports no kernels."""

from __future__ import annotations

from equilibria.agents.solvers.mirror.settings import MagneticSearchSettings, SearchSettings
from equilibria.sim.plugin import Plugin

mds = Plugin(
    kind="agent",
    name="mds",
    summary="Mirror-descent search at every decision point of a uniform blueprint (common payoffs)",
    target="equilibria.agents.solvers.search.build:build_mds",
    settings=SearchSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Sokota et al. (2024), ICLR, arXiv 2304.13138",
    produces="solver",
)

mmds = Plugin(
    kind="agent",
    name="mmds",
    summary="Magnetic mirror-descent search at every decision point of a uniform blueprint (two-player zero-sum)",
    target="equilibria.agents.solvers.search.build:build_mmds",
    settings=MagneticSearchSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Sokota et al. (2024), ICLR, arXiv 2304.13138",
    produces="solver",
)
