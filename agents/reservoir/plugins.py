"""Registry descriptor of the body-reservoir agent; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.reservoir.settings import BRGSettings
from equilibria.sim.plugin import Plugin

brg = Plugin(
    kind="agent",
    name="brg",
    summary="Body-reservoir governance: an echo state network with habit, tit-for-tat and a sentinel that mixes them",
    target="equilibria.agents.reservoir.solver:build",
    settings=BRGSettings,
    engines=("extensive",),
    forms=("schedule",),
    reference="Nakamura (2026), arXiv 2602.20846",
    produces="solver",
)
