"""Sets of models for learners: the same decision problem as worlds, one per value of an unknown parameter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from equilibria.games.robust.robust import RobustMDP
from equilibria.games.vector.base import VectorWorld
from equilibria.games.vector.markov import MarkovWorld
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue, UnsupportedGame

MOST_MODELS = 50


class ModelSet:
    """Worlds that look alike and move differently; which one is real stays unknown and fixed in an episode.

    Args:
        models: 1..50 worlds of one agent with equal spaces; the first one is nominal.
        labels: What each model is.
        discount: gamma in [0, 1) of the values that are compared.
        name: Name for messages.
        process: The exact process behind the worlds, ``None`` when there is none.

    Raises:
        InvalidValue: If the number of models or labels does not fit, or spaces differ.
    """

    def __init__(
        self,
        models: Sequence[VectorWorld],
        labels: Sequence[str],
        *,
        discount: float,
        name: str = "models",
        process: RobustMDP | None = None,
    ) -> None:
        if not 1 <= len(models) <= MOST_MODELS or len(labels) != len(models):
            raise InvalidValue(
                f"{name}: need 1..{MOST_MODELS} models with a label each, got {len(models)} and {len(labels)} labels"
            )
        if not 0 <= discount < 1:
            raise InvalidValue(f"{name}: discount must lie in [0, 1), got {discount!r}")
        first = models[0]
        if first.agents != 1:
            raise InvalidValue(f"{name}: models must have one agent, got {first.agents}")
        for label, model in zip(labels, models, strict=True):
            if model.roles != first.roles:
                raise InvalidValue(f"{name}: {label} has other observations or actions than {labels[0]}")
        self.models, self.labels = tuple(models), tuple(labels)
        self.discount, self.name, self.process = discount, name, process

    @property
    def roles(self) -> Mapping[str, Role]:
        """Roles of every model."""
        return self.models[0].roles

    def names(self) -> tuple[str, ...]:
        """Return the names of the agents."""
        return self.models[0].names()


def models_of(process: RobustMDP, *, horizon: int, name: str = "models") -> ModelSet:
    """Return a process with one unknown model as worlds with one-hot states.

    Args:
        process: The process; nature chooses one candidate for all states.
        horizon: Steps after which an episode is cut; gamma^horizon of the values is not seen.
        name: Name for messages.

    Raises:
        UnsupportedGame: If nature chooses per state and action.
    """
    if process.rectangular:
        raise UnsupportedGame(f"{name}: nature must choose one model for all states, this set is rectangular")
    start = np.eye(len(process.rewards))[process.start]
    worlds = [
        MarkovWorld(model, process.rewards, start=start, discount=process.discount, horizon=horizon)
        for model in process.transitions
    ]
    labels = process.labels or tuple(f"model {k}" for k in range(len(worlds)))
    return ModelSet(worlds, labels, discount=process.discount, name=name, process=process)
