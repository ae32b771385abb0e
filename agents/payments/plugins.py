"""Descriptor of the payment bandits."""

from __future__ import annotations

from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.sim.plugin import Plugin

payment_bandit = Plugin(
    kind="agent",
    name="payment_bandit",
    summary="Bandit with a regression oracle: uniform, greedy, epsilon-greedy, softmax, SquareCB or FastCB exploration",
    target="equilibria.agents.payments.bandit:build",
    settings=PaymentBanditSettings,
    engines=("extensive",),
    forms=("payments",),
    reference="Vangara and Egg (2024), arXiv 2412.00569; Foster and Rakhlin (2020), ICML",
    produces="solver",
)
