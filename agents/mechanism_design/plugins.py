"""Registry descriptors of the auction learners; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.mechanism_design.settings import MenuLearnerSettings, RegretNetSettings
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
regret_net = Plugin(
    kind="agent",
    name="regret_net",
    summary="Learns an auction of several items by networks under a penalty for regret; needs the extra learn.",
    target="equilibria.agents.mechanism_design.regret_net:build",
    settings=RegretNetSettings,
    engines=("extensive",),
    forms=("menu",),
    reference="Duetting, Feng, Narasimhan, Parkes, Ravindranath (2019), ICML, arXiv 1706.03459, RegretNet",
    produces="solver",
)
