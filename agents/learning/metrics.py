"""Metrics of training runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from equilibria.agents.learning.metric_settings import EvaluationSettings, LearningNumbersSettings
from equilibria.sim.errors import Unsupported
from equilibria.sim.plugin import NoSettings


class MeanReturn:
    """Mean undiscounted return of the episodes that ended during the last update, by role when several learn."""

    name: str = "mean_return"
    unit: str = "game payoff"
    direction: Literal["lower", "higher", "none"] = "higher"

    def __init__(self, settings: NoSettings) -> None:
        pass

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value, or values by role; nothing before the first episode ended."""
        found = {role: x.latest["mean_return"] for role, x in view.learners.items() if "mean_return" in x.latest}
        return {"": next(iter(found.values()))} if len(view.learners) == 1 and found else found


class EvaluationReturn:
    """Mean undiscounted return of fresh episodes played by frozen copies of the policies.

    Cost: ``episodes`` episodes.
    """

    name: str = "evaluation_return"
    unit: str = "game payoff"
    direction: Literal["lower", "higher", "none"] = "higher"

    def __init__(self, settings: EvaluationSettings) -> None:
        self._settings = settings

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the value, or values by role when several learn."""
        found = {}
        for index, (role, learner) in enumerate(view.learners.items()):
            returns = learner.evaluate(
                self._settings.episodes, view.seeds.child("role", index), greedy=self._settings.greedy
            )
            found["" if len(view.learners) == 1 else role] = float(returns[:, learner.spaces.columns].mean())
        return found


class LearningNumbers:
    """Numbers of the last update by name (``role/name`` when several learn)."""

    name: str = "learning_numbers"
    unit: str = "by number"
    direction: Literal["lower", "higher", "none"] = "none"

    def __init__(self, settings: LearningNumbersSettings) -> None:
        self._names = settings.names

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return the numbers; nothing before the first update.

        Raises:
            Unsupported: If a learner has no number of that name.
        """
        found = {}
        for role, learner in view.learners.items():
            for name in self._names:
                if learner.latest and name not in learner.latest:
                    listed = ", ".join(sorted(learner.latest))
                    raise Unsupported(f"learning_numbers: the learner has no number {name!r}; there are {listed}")
                if learner.latest:
                    found[name if len(view.learners) == 1 else f"{role}/{name}"] = learner.latest[name]
        return found
