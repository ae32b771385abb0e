"""Registry descriptors of the learners and their metrics; imports nothing heavy."""

from __future__ import annotations

from equilibria.agents.learning.metric_settings import EvaluationSettings, LearningNumbersSettings
from equilibria.agents.learning.saved_settings import FromRunSettings
from equilibria.agents.learning.settings import IPPOSettings, MAPPOSettings, MDPOSettings, PPOSettings
from equilibria.sim.plugin import Family

ENGINES, FORMS = ("training",), ("vector",)

_FAMILY = Family(package="equilibria.agents.learning", engines=ENGINES, forms=FORMS)

ppo = _FAMILY.agent(
    "ppo",
    "Proximal policy optimisation",
    "build:learner",
    PPOSettings,
    requires="learn",
    modules=("torch",),
    reference="Schulman et al. (2017), arXiv 1707.06347",
)
mappo = _FAMILY.agent(
    "mappo",
    "PPO for teams, with a critic that sees all observations",
    "build:learner",
    MAPPOSettings,
    requires="learn",
    modules=("torch",),
    reference="Yu et al. (2022), arXiv 2103.01955",
)
ippo = _FAMILY.agent(
    "ippo",
    "Independent PPO: critics see the own observation only",
    "build:learner",
    IPPOSettings,
    requires="learn",
    modules=("torch",),
    reference="de Witt et al. (2020), arXiv 2011.09533",
)
mdpo = _FAMILY.agent(
    "mdpo",
    "Mirror descent policy optimisation, on-policy",
    "build:learner",
    MDPOSettings,
    requires="learn",
    modules=("torch",),
    reference="Tomar et al. (2022), arXiv 2005.09814",
)

from_run = _FAMILY.agent(
    "from_run",
    "The frozen policy of an earlier training run",
    "saved:from_run",
    FromRunSettings,
    requires="learn",
    modules=("torch",),
    produces="agent",
)

mean_return = _FAMILY.metric(
    "mean_return",
    "Mean return of the episodes that ended in the last update",
    "metrics:MeanReturn",
    "game payoff",
    "higher",
    forms=("vector", "family", "team", "models"),
)
evaluation_return = _FAMILY.metric(
    "evaluation_return",
    "Mean return of fresh evaluation episodes",
    "metrics:EvaluationReturn",
    "game payoff",
    "higher",
    settings=EvaluationSettings,
)
learning_numbers = _FAMILY.metric(
    "learning_numbers",
    "Losses, entropy, divergence and gradient norms of the last update",
    "metrics:LearningNumbers",
    "by number",
    "none",
    settings=LearningNumbersSettings,
    forms=("vector", "family", "team", "models"),
)
