"""Self-play, (smooth) fictitious play and independent learners on team games.

All members learn at once from Q[i, a] = payoff when member i plays a and its team-mates keep their
strategies, against an opponent: the team itself (``sp`` and the four learners), itself and sampled
past selves (``fp``: weight 1/(t + 1) on itself; ``fsp``: ``self_weight``).

========== =====================================================================
sp fp fsp   step towards the best action; member t mod N takes a double step
replicator  pi += rate pi (Q - pi.Q)
mwu         pi proportional to pi exp(rate Q)
forel       y += rate Q; pi = Euclidean projection of y on the simplex (follow the regularised leader)
rm          R += clip(Q - pi.Q, -1, 1); pi proportional to max(R, 0)
========== =====================================================================

None of them looks for team deviations: on games with a bad local equilibrium they end there.  Cost per
iteration: 2 K A^N multiply-adds.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.fxp.base import TeamSolver
from equilibria.agents.solvers.fxp.settings import Rule, SelfPlaySettings
from equilibria.games.matrix import team_kernels as kernels
from equilibria.games.matrix.team import TeamGame
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

RULES: tuple[Rule, ...] = ("sp", "fp", "fsp", "replicator", "mwu", "forel", "rm")


class SelfPlay(TeamSolver):
    """Learning in self-play; one step is one iteration.

    Args:
        game: A symmetric team game.
        rule: One of ``RULES``.
        settings: See ``SelfPlaySettings``.
        seeds: Source of the sampled past selves (``fp``, ``fsp``).

    Attributes:
        population: The policies after 0, 1, 2, ... iterations.
        converged_at: Iterations after which the stopping rule of the FXP experiments held, or -1.
    """

    def __init__(
        self,
        game: TeamGame,
        rule: Rule = "sp",
        settings: SelfPlaySettings | None = None,
        *,
        seeds: SeedTree | None = None,
    ) -> None:
        if rule not in RULES:
            raise InvalidValue(f"rule must be one of {', '.join(RULES)}, got {rule!r}")
        self.rule, self.name = rule, f"team_{rule}"
        self.settings = settings or SelfPlaySettings()
        self.seeds = seeds or SeedTree(0)
        super().__init__(game)
        self.dual = np.zeros((game.members, game.actions))  # log weights, scores or regrets
        self.converged_at = -1
        self._run = 0
        self._policies, self._embeddings = self.population.policies, self.population.embeddings

    @property
    def current(self) -> FloatArray:
        """The present team policy [N, A]."""
        return np.asarray(self.population.policies[self._iteration])

    def step(self, n: int = 1) -> None:
        """Do ``n`` iterations."""
        game, first = self.game, self._iteration
        policies, embeddings = self._room(first + 1 + n)
        for t in range(first, first + n):
            values = self._values(t)
            if not np.isfinite(values).all():
                raise NumericalError("action value", float("nan"), step=t)
            policies[t + 1] = self._update(policies[t].copy(), values, t)
            embeddings[t + 1] = kernels.expectation(game.features, policies[t + 1])
            self._iteration = t + 1
        self.meta_strategy = self._output()

    def _room(self, size: int) -> tuple[FloatArray, FloatArray]:
        """Return histories with room for ``size`` policies; buffers double, so that many short calls stay cheap."""
        kept = self._iteration + 1
        if len(self._policies) < size:
            policies = np.zeros((max(size, 2 * kept), self.game.members, self.game.actions))
            embeddings = np.zeros((len(policies), self.population.embeddings.shape[1]))
            policies[:kept] = self.population.policies
            embeddings[:kept] = self.population.embeddings
            self._policies, self._embeddings = policies, embeddings
        self.population.policies, self.population.embeddings = self._policies[:size], self._embeddings[:size]
        return self.population.policies, self.population.embeddings

    def _values(self, t: int) -> FloatArray:
        """Return Q [N, A] of iteration ``t``."""
        game, embeddings = self.game, self.population.embeddings
        opponent = embeddings[t]
        if self.rule in ("fp", "fsp") and t > 0:
            weight = 1.0 / (t + 1) if self.rule == "fp" else self.settings.self_weight
            rng = self.seeds.child("past selves", t).generator()
            past = rng.choice(t, size=min(t, self.settings.sampled), replace=False)
            opponent = weight * opponent + (1 - weight) * embeddings[np.sort(past)].mean(axis=0)
        d = kernels.conditional(game.features, game.reversed_features, self.population.policies[t])
        return np.asarray(np.tensordot(game.coupling @ opponent, d, axes=(0, 0)))

    def _update(self, pi: FloatArray, values: FloatArray, t: int) -> FloatArray:
        rate = self.settings.rate
        if self.rule in ("sp", "fp", "fsp"):
            target = kernels.best_actions(values)
            self._run = self._run + 1 if kernels.distance(pi, target) < kernels.CLOSE else 0
            if self._run >= max(5.0, 0.1 * t) and self.converged_at < 0:
                self.converged_at = t
            kernels.move_(pi, target, t, rate)
            return pi
        advantage = values - (pi * values).sum(axis=1, keepdims=True)
        if self.rule == "replicator":
            # the Euler step leaves the simplex when rate * |advantage| > 1; then it is shortened
            pi = pi * (1 + min(rate, 0.5 / max(1e-300, float(np.abs(advantage).max()))) * advantage)
            return np.asarray(pi / pi.sum(axis=1, keepdims=True))
        if self.rule == "rm":
            self.dual = self.dual + np.clip(advantage, -1, 1)
            positive = np.maximum(self.dual, 0.0)
            total = positive.sum(axis=1, keepdims=True)
            return np.asarray(np.where(total > 0, positive / np.where(total > 0, total, 1.0), 1.0 / self.game.actions))
        self.dual = self.dual + rate * values
        if self.rule == "mwu":
            weights = np.exp(self.dual - self.dual.max(axis=1, keepdims=True))
            return np.asarray(weights / weights.sum(axis=1, keepdims=True))
        return np.stack([project(y) for y in self.dual])

    def _output(self) -> FloatArray:
        size = len(self.population.policies)
        if self.settings.output == "average":
            return np.full(size, 1.0 / size)
        weights = np.zeros(size)
        weights[-1] = 1.0
        return weights

    def metrics(self) -> dict[str, float]:
        """Return headline numbers, the gain of single-member deviations included."""
        return {"exploitability": self.exploitability(), "local_gain": self.game.local_gain(self.current)}

    def _arrays(self) -> dict[str, FloatArray]:
        return {"dual": self.dual}

    def _meta(self) -> dict[str, int]:
        return {"converged_at": self.converged_at, "run": self._run}

    def _restore(self, state: State) -> None:
        self._policies, self._embeddings = self.population.policies, self.population.embeddings
        self.dual = np.array(state.arrays["dual"], dtype=np.float64)
        self.converged_at = int(state.meta["converged_at"])  # type: ignore[arg-type]
        self._run = int(state.meta["run"])  # type: ignore[arg-type]


def project(y: FloatArray) -> FloatArray:
    """Return the Euclidean projection of ``y`` [A] on the simplex (Held, Wolfe and Crowder 1974)."""
    ordered = np.sort(y)[::-1]
    excess = (np.cumsum(ordered) - 1) / np.arange(1, len(y) + 1)
    level = excess[np.flatnonzero(ordered > excess)[-1]]
    return np.asarray(np.maximum(y - level, 0.0))
