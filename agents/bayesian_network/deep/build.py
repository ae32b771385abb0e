"""Build functions that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal

from equilibria.agents.bayesian_network.deep.exact import coordination_ratio
from equilibria.agents.bayesian_network.deep.learner import BNMAPPO
from equilibria.agents.bayesian_network.deep.settings import BNMAPPOSettings, CoordinationRatioSettings
from equilibria.agents.learning.build import controlled
from equilibria.games.vector.coordination import CoordinationWorld
from equilibria.games.vector.tabular import coordination_game
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.seeds import SeedTree


def bn_mappo(settings: BNMAPPOSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> BNMAPPO:
    """Build the learner."""
    return BNMAPPO(game, settings, roles=controlled(roles), seeds=seeds, budget=budget)


class CoordinationRatio:
    """Exact discounted return of the noise-free policy in the coordination game over that of the best one."""

    name: str = "coordination_ratio"
    unit: str = "share of the optimum"
    direction: Literal["lower", "higher", "none"] = "higher"

    def __init__(self, settings: CoordinationRatioSettings) -> None:
        self._discount = settings.discount

    def compute(self, view: Any) -> Mapping[str, float]:
        """Return J / J*.

        Raises:
            UnsupportedGame: If the world is no coordination game, or the learner has no Bayesian-network policy.
        """
        world, learner = view.game, view.solver
        if not isinstance(world, CoordinationWorld) or not isinstance(learner, BNMAPPO):
            raise UnsupportedGame(
                f"coordination_ratio needs bn_mappo in a coordination_world, got {type(learner).__name__} in "
                f"{type(world).__name__}"
            )
        game = coordination_game(world.agents, noise=world.noise, margin=world.margin, discount=self._discount)
        return {"": coordination_ratio(learner.actor, game)}
