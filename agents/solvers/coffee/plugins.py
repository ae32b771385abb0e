"""Registry descriptor of COffeE-PSRO; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.sim.plugin import Plugin

coffee_psro = Plugin(
    kind="agent",
    name="coffee_psro",
    summary="Offline PSRO that prefers what the data can vouch for (our design of the published idea)",
    target="equilibria.agents.solvers.coffee.build:build",
    settings=CoffeeSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference="Nguyen and Wellman (2026), arXiv 2603.00374; formulas and constants are our design",
    produces="solver",
)
