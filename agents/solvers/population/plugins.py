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
    forms=("extensive",),
    reference="Lanctot et al. (2017), arXiv 1711.00832; Li et al. (2026), arXiv 2602.16928; Marris et al. (2021)",
    produces="solver",
)

_METRICS = "equilibria.agents.solvers.population.metrics"

policies = Plugin(
    kind="metric",
    name="policies",
    summary="Policies per player in the populations of PSRO",
    target=f"{_METRICS}:policies",
    engines=("extensive",),
    forms=("extensive",),
    unit="policies",
    direction="none",
)
support = Plugin(
    kind="metric",
    name="support",
    summary="Policies per player that the evaluation mixture of PSRO uses",
    target=f"{_METRICS}:support",
    engines=("extensive",),
    forms=("extensive",),
    unit="policies",
    direction="none",
)
oracle_shortfall = Plugin(
    kind="metric",
    name="oracle_shortfall",
    summary="What the newest trained responses of PSRO earn less than exact best responses",
    target=f"{_METRICS}:oracle_shortfall",
    engines=("extensive",),
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
train_gap = Plugin(
    kind="metric",
    name="train_gap",
    summary="NashConv (CE or CCE gap) of the mixture that the newest policies of PSRO respond to",
    target=f"{_METRICS}:train_gap",
    engines=("extensive",),
    forms=("extensive",),
    unit="game payoff",
    direction="lower",
)
