"""Descriptor of the payment bandits."""

from __future__ import annotations

from equilibria.agents.payments.settings import PaymentBanditSettings
from equilibria.sim.plugin import Family

_FAMILY = Family(package="equilibria.agents.payments", engines=("extensive",), forms=("payments",))

payment_bandit = _FAMILY.agent(
    "payment_bandit",
    "Bandit with a regression oracle: uniform, greedy, epsilon-greedy, softmax, SquareCB or FastCB exploration",
    "bandit:build",
    PaymentBanditSettings,
    reference="Vangara and Egg (2024), arXiv 2412.00569; Foster and Rakhlin (2020), ICML",
)
