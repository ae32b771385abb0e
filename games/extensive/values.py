"""Exact values, best responses and distances from equilibrium.

Definitions, for a profile sigma of n players:

- value u_i(sigma); best-response value b_i = max over sigma'_i of u_i(sigma'_i, sigma_-i);
- gain of player i: b_i - u_i(sigma) >= 0;
- ``nash_conv`` = sum of the gains; ``exploitability`` = NashConv / n.

In a two-player zero-sum game exploitability is (b_0 + b_1) / 2.  All are zero exactly at a Nash
equilibrium, for any number of players and general-sum payoffs.

Cost: one gradient and one tree pass per player, the same as one iteration of a solver.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from equilibria.games.extensive import kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

Ties: TypeAlias = Literal["first", "uniform"]
TIE_TOLERANCE = 1e-12
"""Actions within this times the utility range of the best one count as tied."""


def gradient(game: ExtensiveGame, player: int, x: FloatArray) -> FloatArray:
    """Return the gradient of a player's payoff with respect to the own realisation plan.

    Args:
        game: The game.
        player: Whose payoff, 0 <= player < n.
        x: float64 [S] realisation plans of all players; the player's own part is not read.

    Returns:
        float64 [S_p]: entry k belongs to global sequence ``seq_off[player] + k``.  Terminal payoffs
        only: fold it with ``kernels.value_backward`` to get counterfactual values.
    """
    _check_player(game, player)
    a = game.arrays
    if x.shape != (a.sequences,):
        raise InvalidValue(f"realisation plans need shape {(a.sequences,)}, got {x.shape}")
    g = np.zeros(a.sequences)
    lo, hi = a.seq_off[player], a.seq_off[player + 1]
    kernels.gradient_rows(a.rowptr, a.col, a.val, np.ascontiguousarray(x, dtype=np.float64), g, lo, hi)
    return g[lo:hi].copy()


def expected_values(game: ExtensiveGame, policy: BehaviouralPolicy) -> FloatArray:
    """Return each player's expected payoff, float64 [n]."""
    return values_and_responses(game, _plan(game, policy))[0]


def gains(game: ExtensiveGame, policy: BehaviouralPolicy) -> FloatArray:
    """Return what each player can gain by a best response, float64 [n]; zero at equilibrium."""
    values, responses = values_and_responses(game, _plan(game, policy))
    return responses - values


def nash_conv(game: ExtensiveGame, policy: BehaviouralPolicy) -> float:
    """Return the sum of all players' gains."""
    values, responses = values_and_responses(game, _plan(game, policy))
    return float((responses - values).sum())


def exploitability(game: ExtensiveGame, policy: BehaviouralPolicy) -> float:
    """Return NashConv / n, the mean gain per player."""
    return nash_conv(game, policy) / game.players


def best_response(
    game: ExtensiveGame, policy: BehaviouralPolicy, player: int, *, ties: Ties = "first"
) -> tuple[float, BehaviouralPolicy]:
    """Return the best-response value of a player and the profile in which the player plays it.

    Args:
        game: The game.
        policy: Profile whose other players are fixed.
        player: Who responds.
        ties: ``"first"`` takes the first of the best actions, ``"uniform"`` spreads over them.
            Infosets that the others never reach are ties of all actions.

    Raises:
        InvalidValue: If the player or ``ties`` is not possible.
    """
    _check_player(game, player)
    if ties not in ("first", "uniform"):
        raise InvalidValue(f"ties must be 'first' or 'uniform', got {ties!r}")
    a = game.arrays
    g, probs = np.zeros(a.sequences), policy.probs.copy()
    lo, ilo, ihi = a.seq_off[player], a.iset_off[player], a.iset_off[player + 1]
    kernels.gradient_rows(a.rowptr, a.col, a.val, _plan(game, policy), g, lo, a.seq_off[player + 1])
    kernels.best_response_backward(a.parent, a.first, a.nact, g, ilo, ihi)
    tolerance = TIE_TOLERANCE * game.utility_range
    kernels.best_response_policy(a.first, a.nact, g, probs, ilo, ihi, tolerance, ties == "uniform")
    return float(g[lo]), BehaviouralPolicy(game, probs)


def values_and_responses(game: ExtensiveGame, x: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Return expected and best-response payoffs [n] of realisation plans x [S]."""
    a = game.arrays
    values, responses = np.zeros(a.players), np.zeros(a.players)
    work = np.empty(a.sequences)
    kernels.values_and_responses(
        a.seq_off, a.iset_off, a.parent, a.first, a.nact, a.rowptr, a.col, a.val, x, work, values, responses
    )
    return values, responses


def _plan(game: ExtensiveGame, policy: BehaviouralPolicy) -> FloatArray:
    if policy.game is not game and policy.game.content_hash != game.content_hash:
        raise InvalidValue(f"the policy belongs to game {policy.game.name!r}, not to {game.name!r}")
    return policy.reach


def _check_player(game: ExtensiveGame, player: int) -> None:
    if not 0 <= player < game.players:
        raise InvalidValue(f"player must lie in 0..{game.players - 1}, got {player!r}")
