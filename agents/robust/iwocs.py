"""IWOCS: a robust policy from a growing list of worst-case models, each solved as an ordinary process.

Q^i = min over the models so far of their optimal Q; play greedily; add the model that is worst for this
policy; stop when its value equals what the policy promised.

Source: Zouitine, Geist, Rachelson (2024), arXiv 2410.06212, algorithm 1.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.robust.mdp import optimal_values
from equilibria.games.robust.robust import RobustMDP
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray


class IWOCS:
    """Robust policy of a tabular process; one step solves one model.

    The promised value never rises from step to step.  ``worst_value`` is exact for the policy, not the
    optimistic promise.

    Args:
        game: The process with its set of models.
        tolerance: Largest gap between promise and worst case at which to stop.

    Example:
        >>> from equilibria.games.robust import windy_walk
        >>> solver = IWOCS(windy_walk())
        >>> solver.step(5)
        >>> round(solver.worst_value, 6), solver.solved
        (-7.952147, 2)
    """

    def __init__(self, game: RobustMDP, *, tolerance: float = 1e-9) -> None:
        if not (np.isfinite(tolerance) and tolerance >= 0):
            raise InvalidValue(f"tolerance must be finite and >= 0, got {tolerance!r}")
        self.game, self.tolerance = game, tolerance
        self.iteration, self.solved, self.converged = 0, 0, False
        self.q: FloatArray = np.full(game.rewards.shape, np.inf)
        self._model = game.nominal
        self._actions: IntArray = np.zeros(len(game.rewards), np.int64)
        self.promised = self.worst_value = self.game.worst_model(self._actions)[1]
        self.worst_label = game.worst_model(self._actions)[2]

    def step(self, n: int = 1) -> None:
        """Solve up to ``n`` models; nothing more happens once the worst case keeps the promise."""
        for _ in range(n):
            self.iteration += 1
            if self.converged:
                continue
            game = self.game
            self.q = np.minimum(self.q, optimal_values(self._model, game.rewards, game.discount))
            self._actions = game.greedy(self.q)
            self.promised = float(self.q[game.start, self._actions[game.start]])
            self._model, self.worst_value, self.worst_label = game.worst_model(self._actions)
            self.solved += 1
            self.converged = abs(self.worst_value - self.promised) <= self.tolerance

    def policy(self) -> IntArray:
        """Return the action [S] of each state."""
        return self._actions.copy()

    def certificate(self) -> Certificate:
        """Compare the policy's exact worst case with robust value iteration (an upper bound that it can reach)."""
        best = float(self.game.robust_values()[self.game.start].max())
        gap = abs(best - self.worst_value)
        caveat = (
            ""
            if self.game.rectangular
            else ("the set is not rectangular: robust value iteration lets nature change the model at every step")
        )
        return Certificate(
            measure="robust gap",
            value=gap,
            unit="game payoff",
            method="worst model by exact linear solves against robust value iteration",
            details={
                "worst_value": self.worst_value,
                "worst_model": self.worst_label,
                "robust_value_iteration": best,
                "nominal_value": self.game.nominal_value(self._actions),
                "models_solved": self.solved,
                "converged": self.converged,
            },
            warning=caveat,
        )

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        return State(
            {"q": self.q.copy(), "model": self._model.copy(), "actions": self._actions.copy()},
            {
                "iteration": self.iteration,
                "solved": self.solved,
                "converged": self.converged,
                "promised": self.promised,
                "worst_value": self.worst_value,
                "worst_label": self.worst_label,
            },
        )

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        if state.arrays["q"].shape != self.q.shape:
            raise InvalidValue(f"the state has Q of shape {state.arrays['q'].shape}, this process {self.q.shape}")
        self.q = np.array(state.arrays["q"], np.float64)
        self._model = np.array(state.arrays["model"], np.float64)
        self._actions = np.array(state.arrays["actions"], np.int64)
        meta = state.meta
        self.iteration, self.solved = int(str(meta["iteration"])), int(str(meta["solved"]))
        self.converged, self.worst_label = bool(meta["converged"]), str(meta["worst_label"])
        self.promised, self.worst_value = float(str(meta["promised"])), float(str(meta["worst_value"]))
