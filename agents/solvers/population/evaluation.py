"""How far a meta-strategy is from equilibrium in the full game.

* Product meta-strategies: gain_p = best response to the others' mixtures minus own value;
  NashConv = sum of gains, exploitability = NashConv / n.
* Correlated meta-strategies: the CCE gap compares the best response to the others' joint marginal
  with the own value; the CE gap sums, over recommended policies, the gain of the best response to
  what the recommendation reveals (Marris et al. 2021, arXiv 2106.09435, section 4).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.agents.solvers.population import plan_kernels
from equilibria.agents.solvers.population.kernels import dot
from equilibria.agents.solvers.population.meta_game import MetaStrategy
from equilibria.agents.solvers.population.oracle import ExactOracle
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.sim.types import FloatArray, IntArray

_MASS = 1e-9


@dataclass(frozen=True, slots=True)
class Distance:
    """Distance of a profile of mixtures from equilibrium, in game payoff.

    Attributes:
        values: [n] expected payoffs.
        gains: [n] gain of each player's best response, >= 0 up to rounding.
    """

    values: FloatArray
    gains: FloatArray

    @property
    def nash_conv(self) -> float:
        """Sum of gains."""
        return float(self.gains.sum())

    @property
    def exploitability(self) -> float:
        """NashConv / n."""
        return self.nash_conv / len(self.gains)


def distance(meta: PlanMetaGame, strategy: MetaStrategy) -> Distance:
    """Return values and gains of the product of the marginals; exact up to rounding."""
    _, values, responses = ExactOracle().respond_all(meta, meta.mixture_plan(strategy.marginals))
    return Distance(values, responses - values)


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What one recommendation (or, for CCE, the whole device) tells a player about the others.

    Attributes:
        policy: Recommended own policy, -1 for the device as a whole.
        weight: Probability of the recommendation.
        gradient: [S] gradient against the others' conditional joint policies (player's range only).
        value: Own expected payoff when obeying, conditional.
    """

    policy: int
    weight: float
    gradient: FloatArray
    value: float


def recommendations(meta: PlanMetaGame, strategy: MetaStrategy, player: int, concept: str) -> list[Recommendation]:
    """Return what the player can respond to: per recommended policy (CE) or as a whole (CCE)."""
    joint = strategy.joint
    if joint is None:
        joint = _product(strategy.marginals)
    own = strategy.marginals[player]
    # the programs behind joint strategies are solved to about 1e-9
    support = np.flatnonzero(own > _MASS)
    parts = [_recommendation(meta, joint, player, int(j), float(own[j])) for j in support]
    if concept == "ce":
        return parts
    gradient = np.sum([part.weight * part.gradient for part in parts], axis=0)
    value = float(sum(part.weight * part.value for part in parts))
    return [Recommendation(-1, 1.0, gradient, value)]


def _recommendation(meta: PlanMetaGame, joint: FloatArray, player: int, policy: int, weight: float) -> Recommendation:
    conditional = np.take(joint, policy, axis=player) / weight
    others = np.argwhere(conditional > _MASS)
    weights = np.ascontiguousarray(conditional[tuple(others.T)])
    weights /= weights.sum()
    profiles: IntArray = np.insert(others, player, policy, axis=1)
    a = meta.game.arrays
    g, x, work = np.zeros(a.sequences), np.zeros(a.sequences), np.zeros(a.sequences)
    arrays = meta.arrays()
    plan_kernels.joint_gradient(a.seq_off, a.rowptr, a.col, a.val, arrays.plans, player, profiles, weights, x, work, g)
    value = dot(arrays.plans[policy], g, int(a.seq_off[player]), int(a.seq_off[player + 1]))
    return Recommendation(policy, weight, g, float(value))


def correlated_gap(meta: PlanMetaGame, strategy: MetaStrategy, concept: str) -> float:
    """Return the CE or CCE gap of a (correlated) meta-strategy in the full game: sum of gains over players."""
    oracle, total = ExactOracle(), 0.0
    for p in range(meta.players):
        for part in recommendations(meta, strategy, p, concept):
            total += part.weight * (oracle.from_gradient(meta, p, part.gradient.copy())[1] - part.value)
    return total


def _product(marginals: tuple[FloatArray, ...]) -> FloatArray:
    joint = np.ones(())
    for m in marginals:
        joint = np.multiply.outer(joint, m)
    return joint
