"""Oracles: how a new policy is made against a meta-strategy.

An oracle gets an ``OracleRequest`` and returns the realisation plan [S_p] of a new policy.
``ExactOracle`` is the best response by backward induction on the own decision tree.
``oracle_ppo.PPOOracle`` and ``oracle_dqn.DQNOracle`` train networks on sampled episodes (extra ``learn``).
``CallableOracle`` adapts any function ``(game, player, sigma, populations, rng) -> policy`` (for
example one that trains a network); the function may return a plan, a ``BehaviouralPolicy`` or
anything with ``action_probabilities`` in the OpenSpiel convention via ``BehaviouralPolicy``.

Tie rule of the exact oracle (``ties="uniform"``): uniform over all legal actions whose
counterfactual (reach-weighted) value is within ``tolerance`` times the largest payoff magnitude of
the best one.  Infosets that the opponents never reach have equal values and hence get uniform.
The rule changes trajectories, not what is a best response.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal, Protocol, TypeAlias, runtime_checkable

import numpy as np

from equilibria.agents.solvers.population import plan_kernels
from equilibria.agents.solvers.population.meta_game import MetaStrategy
from equilibria.agents.solvers.population.plan_game import PlanMetaGame
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, PluginError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

Ties: TypeAlias = Literal["uniform", "first"]
TIE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True, kw_only=True)
class OracleRequest:
    """What an oracle is asked for.

    Attributes:
        meta: Populations and payoffs.
        player: Who responds.
        sigma: Meta-strategy to respond to.
        opponents: Mixtures of all players that the response is to; those of ``sigma``, or the
            rectified ones.  The player's own entry is not used.
        x: [S] realisation plans of ``opponents``.
        start: Policy index to start training from; exact oracles ignore it.
        seeds: Seed node of this request; it depends on (run seed, iteration, player, number).
    """

    meta: PlanMetaGame
    player: int
    sigma: MetaStrategy
    opponents: tuple[FloatArray, ...]
    x: FloatArray
    start: int
    seeds: SeedTree

    @property
    def game(self) -> ExtensiveGame:
        """The game."""
        return self.meta.game


@runtime_checkable
class Oracle(Protocol):
    """Makes new policies."""

    @property
    def exact(self) -> bool:
        """Whether the answer is a best response, so that a zero gain proves equilibrium."""
        ...

    def respond(self, request: OracleRequest) -> FloatArray:
        """Return the realisation plan [S_p] of a new policy of ``request.player``."""
        ...


@runtime_checkable
class StatefulOracle(Protocol):
    """An oracle that remembers something between requests; PSRO saves it with its own state."""

    def save(self) -> State:
        """Return everything needed to go on bit-identically."""
        ...

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        ...


def check_ties(ties: str, tolerance: float) -> None:
    """Raise ``InvalidValue`` for an unknown tie rule or a negative tolerance."""
    if ties not in ("uniform", "first"):
        raise InvalidValue(f"ties must be 'uniform' or 'first', got {ties!r}")
    if not 0 <= tolerance < 1:
        raise InvalidValue(f"tie tolerance must lie in [0, 1), got {tolerance!r}")


class ExactOracle:
    """Exact best response of one player.

    Args:
        ties: ``"uniform"`` (maximum entropy among best actions) or ``"first"`` (lowest action).
        tolerance: Relative to the largest payoff magnitude, on reach-weighted values.
    """

    exact = True

    def __init__(self, *, ties: Ties = "uniform", tolerance: float = TIE_TOLERANCE) -> None:
        check_ties(ties, tolerance)
        self.ties, self.tolerance = ties, tolerance

    def respond(self, request: OracleRequest) -> FloatArray:
        """Return the best response's plan [S_p]."""
        a, p = request.game.arrays, request.player
        g = np.empty(a.sequences)
        gradient_rows(a.rowptr, a.col, a.val, request.x, g, a.seq_off[p], a.seq_off[p + 1])
        return self.from_gradient(request.meta, p, g)[0]

    def from_gradient(self, meta: PlanMetaGame, player: int, g: FloatArray) -> tuple[FloatArray, float]:
        """Return the plan [S_p] and value of the best response to a gradient [S]; overwrites ``g``."""
        a = meta.game.arrays
        pol, plan = np.empty(a.sequences), np.empty(a.sequences)
        value = plan_kernels.respond_gradient(
            a.seq_off,
            a.iset_off,
            a.parent,
            a.first,
            a.nact,
            player,
            g,
            pol,
            plan,
            self.tolerance * meta.scale,
            self.ties == "uniform",
        )
        return plan[int(a.seq_off[player]) : int(a.seq_off[player + 1])].copy(), float(value)

    def respond_all(self, meta: PlanMetaGame, x: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Respond for all players at once: plans [S], values [n] of x, values [n] of the responses."""
        a = meta.game.arrays
        g, pol, plan = np.empty(a.sequences), np.empty(a.sequences), np.empty(a.sequences)
        values, responses = np.empty(a.players), np.empty(a.players)
        plan_kernels.respond_all(
            a.seq_off,
            a.iset_off,
            a.parent,
            a.first,
            a.nact,
            a.rowptr,
            a.col,
            a.val,
            x,
            g,
            pol,
            plan,
            self.tolerance * meta.scale,
            self.ties == "uniform",
            values,
            responses,
        )
        return plan, values, responses


OracleFunction: TypeAlias = Callable[
    [ExtensiveGame, int, Sequence[FloatArray], Sequence[FloatArray], np.random.Generator],
    "FloatArray | BehaviouralPolicy",
]
"""``(game, player, sigma, populations, rng)``; ``sigma[p]`` is [k_p], ``populations[p]`` is [k_p, S_p]."""


class CallableOracle:
    """Any function as an oracle; its answers are checked, and they need not be best responses."""

    exact = False

    def __init__(self, function: OracleFunction) -> None:
        self.function = function

    def respond(self, request: OracleRequest) -> FloatArray:
        """Return the plan [S_p] of the policy that the function returns.

        Raises:
            PluginError: If the function returns something else.
        """
        meta, p = request.meta, request.player
        populations = [meta.plans(q) for q in range(meta.players)]
        answer = self.function(meta.game, p, request.opponents, populations, request.seeds.generator())
        if isinstance(answer, BehaviouralPolicy):
            off = meta.game.arrays.seq_off
            return answer.plan()[int(off[p]) : int(off[p + 1])].copy()
        if isinstance(answer, np.ndarray):
            return np.asarray(answer, dtype=np.float64)
        raise PluginError(
            f"the oracle function returned {type(answer).__name__}; expected a BehaviouralPolicy or a plan [S_p]"
        )
