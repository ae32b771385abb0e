"""Registry descriptors of the learners and their metrics; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from equilibria.agents.learning.metric_settings import EvaluationSettings, LearningNumbersSettings
from equilibria.agents.learning.saved_settings import FromRunSettings
from equilibria.agents.learning.settings import IPPOSettings, MAPPOSettings, MDPOSettings, PPOSettings
from equilibria.sim.plugin import NoSettings, Plugin, Settings

_HERE = "equilibria.agents.learning"
ENGINES, FORMS = ("training",), ("vector",)


def _learner(name: str, summary: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"{_HERE}.build:learner",
        settings=settings,
        engines=ENGINES,
        forms=FORMS,
        requires="learn",
        modules=("torch",),
        reference=reference,
        produces="solver",
    )


ppo = _learner("ppo", "Proximal policy optimisation", PPOSettings, "Schulman et al. (2017), arXiv 1707.06347")
mappo = _learner(
    "mappo",
    "PPO for teams, with a critic that sees all observations",
    MAPPOSettings,
    "Yu et al. (2022), arXiv 2103.01955",
)
ippo = _learner(
    "ippo",
    "Independent PPO: critics see the own observation only",
    IPPOSettings,
    "de Witt et al. (2020), arXiv 2011.09533",
)
mdpo = _learner(
    "mdpo", "Mirror descent policy optimisation, on-policy", MDPOSettings, "Tomar et al. (2022), arXiv 2005.09814"
)

from_run = Plugin(
    kind="agent",
    name="from_run",
    summary="The frozen policy of an earlier training run",
    target=f"{_HERE}.saved:from_run",
    settings=FromRunSettings,
    engines=ENGINES,
    forms=FORMS,
    requires="learn",
    modules=("torch",),
    produces="agent",
)


def _metric(
    name: str, attribute: str, summary: str, unit: str, direction: Literal["lower", "higher", "none"],
    settings: type[Settings] = NoSettings,
) -> Plugin:  # fmt: skip
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        settings=settings,
        engines=ENGINES,
        forms=FORMS if name == "evaluation_return" else (*FORMS, "family", "team"),
        unit=unit,
        direction=direction,
    )


mean_return = _metric(
    "mean_return", "MeanReturn", "Mean return of the episodes that ended in the last update", "game payoff", "higher"
)
evaluation_return = _metric(
    "evaluation_return", "EvaluationReturn", "Mean return of fresh evaluation episodes", "game payoff", "higher",
    EvaluationSettings,
)  # fmt: skip
learning_numbers = _metric(
    "learning_numbers", "LearningNumbers", "Losses, entropy, divergence and gradient norms of the last update",
    "by number", "none", LearningNumbersSettings,
)  # fmt: skip
