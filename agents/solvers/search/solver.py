"""Mirror-descent search (MDS) and magnetic mirror-descent search (MMDS) at every decision point.

One step replaces the blueprint by the profile that searches at every infoset of every player, all from the old
blueprint; by update equivalence that is one step of (magnetic) mirror descent.  MDS suits common-payoff games: for
small steps the expected payoff never falls.  MMDS suits two-player zero-sum games.

Reference: Sokota, Farina, Wu, Hu, Wang, Kolter, Brown (2024), The update-equivalence framework for decision-time
planning, ICLR.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from equilibria.agents.solvers.mirror import kernels as mirror
from equilibria.agents.solvers.mirror.simplex import check_rates
from equilibria.agents.solvers.policy_tables import PolicyTables
from equilibria.agents.solvers.search import kernels
from equilibria.agents.solvers.search.beliefs import SearchTree
from equilibria.games.extensive.action_values import action_values
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy, uniform_policy
from equilibria.games.extensive.values import expected_values, exploitability
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


class MMDS(PolicyTables):
    """Magnetic mirror-descent search with a uniform magnet; the same object is MDS at temperature 0.

    Args:
        game: Finite game of perfect recall.
        blueprint: First policy, uniform if ``None``.
        eta: Step size, > 0.
        alpha: Temperature, >= 0.
        floor: Least action probability relative to the largest one, in [0, 0.1).
        particles: Belief particles per infoset; 0 uses exact beliefs and action values.
        rollouts: Rollouts per particle and action.
        seeds: Seed tree node of the sampled search; draws depend on (key, step, infoset, count) only.

    Raises:
        InvalidValue: If a parameter is out of range.
        Unsupported: If the search is sampled and the histories of the game are unknown.
    """

    def __init__(
        self,
        game: ExtensiveGame,
        *,
        blueprint: BehaviouralPolicy | None = None,
        eta: float = 1.0,
        alpha: float = 0.05,
        floor: float = 1e-10,
        particles: int = 0,
        rollouts: int = 1,
        seeds: SeedTree | None = None,
    ) -> None:
        check_rates(eta=eta, alpha=alpha, floor=floor)
        if particles < 0 or rollouts < 1:
            raise InvalidValue(f"particles must be >= 0 and rollouts >= 1, got {particles!r} and {rollouts!r}")
        self.game, self.eta, self.alpha, self.floor = game, float(eta), float(alpha), float(floor)
        self.particles, self.rollouts = particles, rollouts
        self._tree = SearchTree(game)
        if particles:
            self._tree.histories  # noqa: B018 - fail now rather than at the first step
        self._key = (seeds or SeedTree(0)).child("search").key()
        self._probs = (uniform_policy(game) if blueprint is None else blueprint).probs.copy()
        with np.errstate(divide="ignore"):
            self._logpol: FloatArray = np.log(self._probs)
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Number of steps done."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Search ``n`` times at every decision point; each time the result is the next blueprint."""
        if n < 0:
            raise InvalidValue(f"the number of steps must be non-negative, got {n!r}")
        a, magnet = self.game.arrays, np.zeros(self.game.arrays.sequences)
        for _ in range(n):
            q = self.action_values()
            mirror.move_all(a.first, a.nact, self._logpol, magnet, q, self._probs, self.eta, self.alpha, self.floor)
            self._iteration += 1
        if not np.all(np.isfinite(self._probs)):
            raise NumericalError("policy", math.nan, step=self._iteration, where="search; use a smaller eta")

    def action_values(self) -> FloatArray:
        """Return the action values [S] the next step will use, exact or sampled; 0 where nobody can get to."""
        if not self.particles:
            return action_values(self.game, self._logpol).q
        h, a, t = self._tree.histories, self.game.arrays, self._tree
        q, empty = np.zeros(a.sequences), np.zeros(a.infosets, dtype=np.bool_)
        kernels.sampled_values(
            a.first, t.owner, t.start, t.members, t.weights(self._probs), self.rollouts, h.child, h.sibling, h.chance,
            h.player, h.edge, h.utility, self._probs, self._key, self._iteration + 1,
            np.zeros(self.particles, dtype=np.uint32), q, empty,
        )  # fmt: skip
        return q

    def policy(self) -> BehaviouralPolicy:
        """Return the profile after the last search."""
        return BehaviouralPolicy(self.game, self._probs)

    def current_policy(self) -> BehaviouralPolicy:
        """Return the same as ``policy``: nothing is averaged."""
        return self.policy()

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        arrays: dict[str, Any] = {"logpol": self._logpol.copy(), "probs": self._probs.copy()}
        return State(arrays, {"iteration": self._iteration, "key": str(int(self._key))})

    def load(self, state: State) -> None:
        """Restore a state made by ``save`` for the same game and parameters."""
        for name in ("logpol", "probs"):
            if state.arrays[name].shape != self._probs.shape:
                raise InvalidValue(f"saved {name} has shape {state.arrays[name].shape}, expected {self._probs.shape}")
        self._logpol = np.array(state.arrays["logpol"], dtype=np.float64)
        self._probs = np.array(state.arrays["probs"], dtype=np.float64)
        self._iteration = int(state.meta["iteration"])  # type: ignore[arg-type]
        self._key = np.uint64(int(str(state.meta["key"])))

    def certificate(self) -> Certificate:
        """Measure the exploitability (mean unilateral gain) of the profile exactly."""
        policy = self.policy()
        return Certificate(
            measure="exploitability",
            value=exploitability(self.game, policy),
            unit="game payoff",
            method="exact best response by backward induction",
            details={"values": [float(v) for v in expected_values(self.game, policy)]},
            warning="search improves a blueprint; it need not reach an equilibrium",
        )


class MDS(MMDS):
    """Mirror-descent search: magnetic mirror-descent search at temperature 0.

    Args:
        game: Finite game of perfect recall, best with common payoffs.
        blueprint: First policy, uniform if ``None``.
        eta: Step size, > 0.
        floor: Least action probability relative to the largest one, in [0, 0.1).
        particles: Belief particles per infoset; 0 uses exact beliefs and action values.
        rollouts: Rollouts per particle and action.
        seeds: Seed tree node of the sampled search.
    """

    def __init__(
        self,
        game: ExtensiveGame,
        *,
        blueprint: BehaviouralPolicy | None = None,
        eta: float = 1.0,
        floor: float = 1e-10,
        particles: int = 0,
        rollouts: int = 1,
        seeds: SeedTree | None = None,
    ) -> None:
        super().__init__(
            game, blueprint=blueprint, eta=eta, alpha=0.0, floor=floor, particles=particles, rollouts=rollouts,
            seeds=seeds,
        )  # fmt: skip
