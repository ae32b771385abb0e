"""Registry descriptor of the menu learner; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.mechanism_design.settings import MenuLearnerSettings
from equilibria.sim.plugin import Plugin

rochet_net = Plugin(
    kind="agent",
    name="rochet_net",
    summary="Learns the seller's menu for one bidder by gradient ascent of revenue; truthful by construction.",
    target="equilibria.agents.mechanism_design.menu:build",
    settings=MenuLearnerSettings,
    engines=("extensive",),
    forms=("menu",),
    reference="Duetting, Feng, Narasimhan, Parkes, Ravindranath (2019), ICML, arXiv 1706.03459, RochetNet",
    produces="solver",
)
