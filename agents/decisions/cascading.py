"""Learning lists: CascadingVI (optimism) and epsilon-greedy; one iteration is one episode.

Rewards are known; attraction and transitions are learned from what is observed: items before the click were
not attractive, the clicked one was, nothing is known of those after it.

Source: Du, Srikant, Chen (2024), arXiv 2401.08961, CascadingVI.  Two of our changes: upper values are cut at
the steps to come (the paper: at H), and ``scale`` multiplies all bonuses.
Cost: one planning pass per episode, about 10 us for S = 5, N = 8, m = 3, H = 3.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.decisions import cascading_kernels as kernels
from equilibria.agents.decisions.settings import CascadingGreedySettings, CascadingVISettings
from equilibria.games.decisions.cascading import CascadingGame
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import IntArray


class CascadingLearner:
    """CascadingVI or, with an exploration probability and no bonuses, epsilon-greedy.

    Args:
        game: The process.
        scale: Factor of the bonuses.
        explore: Probability of a random list.
        delta: Probability with which the bounds may fail.
        episodes: Planned number of episodes K, part of the logarithm L = log(8 K H S N / delta).
        seeds: Source of the episodes.
    """

    table_names = ("policy",)

    def __init__(
        self, game: CascadingGame, *, scale: float, explore: float, delta: float, episodes: int, seeds: SeedTree
    ) -> None:
        self.game = game
        self._scale, self._explore = scale, explore
        self._log = float(np.log(8.0 * max(1, episodes) * game.horizon * game.states * game.items / delta))
        self._key = seeds.child("episodes").key()
        self._best = game.solve()[1]
        n, m = (game.states, game.items), (game.states, game.items + 1, game.states)
        self._seen, self._clicks, self._moves = np.zeros(n), np.zeros(n), np.zeros(m)
        self._lists = np.full((game.horizon, game.states, game.longest), -1, np.int64)
        self._high, self._low = (np.zeros((game.horizon + 1, game.states)) for _ in range(2))
        self._totals = np.zeros(2)
        self._iteration = 0
        self._advance(0)

    @property
    def iteration(self) -> int:
        """Episodes played."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Play ``n`` episodes."""
        self._advance(n)
        self._iteration += n

    def policy(self) -> IntArray:
        """Return the present lists int64 [H, S, m]."""
        return self._lists.copy()

    def metrics(self) -> dict[str, float]:
        """Return regret so far, gap of the present policy and the learner's own bound on it (values per episode)."""
        return {
            "regret": float(self._totals[0]),
            "value_gap": self._gap(),
            "gap_bound": float((self._high[0] - self._low[0]).mean()),
        }

    def table(self, name: str) -> dict[str, Any]:
        """Return the table ``policy``: step, state, place in the list, item."""
        h, s, k = (a.ravel() for a in np.indices(self._lists.shape))
        return {"step": h, "state": s, "place": k, "item": self._lists.ravel().copy()}

    def save(self) -> State:
        """Return counts and totals."""
        arrays = {"seen": self._seen, "clicks": self._clicks, "moves": self._moves, "totals": self._totals}
        return State({k: v.copy() for k, v in arrays.items()}, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        for name, place in (
            ("seen", self._seen), ("clicks", self._clicks), ("moves", self._moves), ("totals", self._totals),
        ):  # fmt: skip
            place[:] = state.arrays[name]
        self._iteration = int(str(state.meta["iteration"]))
        self._advance(0)

    def certificate(self) -> Certificate:
        """Return the exact distance of the present policy from the optimum."""
        best = float(self._best[0].mean())
        return Certificate(
            measure="value gap",
            value=max(0.0, self._gap()),
            unit="reward per episode",
            method="backward induction with the true probabilities, from a uniform first state",
            details={"optimal_value": best, "regret": float(self._totals[0]), "episodes": self._iteration},
        )

    def _gap(self) -> float:
        return float((self._best[0] - self.game.evaluate(self._lists)[0]).mean())

    def _advance(self, episodes: int) -> None:
        g = self.game
        kernels.learn(
            g.attraction, g.reward, g.transition, float(self._best[0].mean()), self._key, self._iteration, episodes,
            self._scale, self._log, self._explore, self._seen, self._clicks, self._moves, self._lists, self._high,
            self._low, self._totals,
        )  # fmt: skip


def build_vi(
    settings: CascadingVISettings, *, game: CascadingGame, roles: Any, seeds: SeedTree, budget: int
) -> CascadingLearner:
    """Build CascadingVI."""
    return CascadingLearner(game, scale=settings.scale, explore=0.0, delta=settings.delta, episodes=budget, seeds=seeds)


def build_greedy(
    settings: CascadingGreedySettings, *, game: CascadingGame, roles: Any, seeds: SeedTree, budget: int
) -> CascadingLearner:
    """Build epsilon-greedy learning."""
    return CascadingLearner(game, scale=0.0, explore=settings.epsilon, delta=0.5, episodes=budget, seeds=seeds)
