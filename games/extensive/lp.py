"""The sequence-form linear program: the exact oracle for two-player zero-sum games.

Player 0 chooses a realisation plan x, the opponent's best response is the dual:

    maximise v_root  subject to  E x = e,  x >= 0,  and for every sequence s of player 1
    v(infoset of s) - sum of v(J) over the infosets J that follow s  <=  (A' x)_s,

with A the chance-weighted payoffs of player 0.  The multipliers of the inequalities are player 1's plan.
Constant-sum games are solved as they are.

Reference: Koller, Megiddo, von Stengel (1996), Efficient computation of equilibria for extensive two-person
games, Games and Economic Behavior 14.  Cost: one sparse linear program with S_0 + I_1 + 1 variables
(Leduc poker: about a second).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import optimize, sparse

from equilibria.games.extensive.arrays import ExtensiveGame, GameArrays
from equilibria.games.extensive.policy import BehaviouralPolicy, behavioural
from equilibria.games.extensive.values import nash_conv
from equilibria.sim.errors import NotConverged, Unsupported
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Equilibrium:
    """A Nash equilibrium found by linear programming.

    Attributes:
        value: Payoff of player 0, the value of the game.
        policy: Equilibrium policy of both players; uniform at infosets the owner never reaches.
        nash_conv: Measured NashConv of ``policy``: how exact the solution is.
    """

    value: float
    policy: BehaviouralPolicy
    nash_conv: float


def sequence_form_lp(game: ExtensiveGame) -> Equilibrium:
    """Solve a two-player zero-sum (constant-sum) game exactly with HiGHS.

    Raises:
        Unsupported: If the game is not two-player constant-sum.
        NotConverged: If HiGHS stops without a solution; the message gives its reason.

    Example:
        >>> from equilibria.games.extensive import openspiel
        >>> round(sequence_form_lp(openspiel("kuhn_poker")).value * 18, 9)
        -1.0
    """
    if game.players != 2 or game.constant_sum is None:
        raise Unsupported(
            f"the sequence-form program needs a two-player zero-sum game, {game.name!r} has {game.players} players"
            f"{' and no constant payoff sum' if game.constant_sum is None else ''}"
        )
    a = game.arrays
    own, infosets = int(a.seq_off[1]), a.infosets - int(a.iset_off[1])
    cost = np.concatenate([np.zeros(own), [-1.0], np.zeros(infosets)])
    flow, source = _flow(a, 0)
    result = optimize.linprog(
        cost,
        A_ub=sparse.hstack([-_payoffs(a).T, _flow(a, 1)[0].T], format="csr"),
        b_ub=np.zeros(a.sequences - own),
        A_eq=sparse.hstack([flow, sparse.csr_array((flow.shape[0], infosets + 1))], format="csr"),
        b_eq=source,
        bounds=[(0.0, None)] * own + [(None, None)] * (infosets + 1),
        method="highs",
    )
    if result.x is None or result.status != 0:
        raise NotConverged(f"HiGHS found no equilibrium of {game.name!r}: {result.message}")
    plans = np.concatenate([result.x[:own], -result.ineqlin.marginals])
    policy = behavioural(game, np.maximum(plans, 0.0))
    return Equilibrium(-float(result.fun), policy, float(nash_conv(game, policy)))


def _flow(a: GameArrays, player: int) -> tuple[sparse.csr_array, FloatArray]:
    """Return the constraints E x = e of one player: row 0 the root, then one row per infoset."""
    low, first_infoset = int(a.seq_off[player]), int(a.iset_off[player])
    count = int(a.iset_off[player + 1]) - first_infoset
    owned = slice(first_infoset, first_infoset + count)
    rows_of_actions = np.repeat(np.arange(1, count + 1), a.nact[owned])
    # the action sequences of a player's infosets, in infoset order, are all its sequences but the empty one
    actions = np.concatenate([np.zeros(0, dtype=np.int64), *_action_ranges(a, owned)]) - low
    rows = np.concatenate([[0], rows_of_actions, np.arange(1, count + 1)])
    cols = np.concatenate([[0], actions, a.parent[owned].astype(np.int64) - low])
    data = np.concatenate([[1.0], np.ones(actions.size), -np.ones(count)])
    size = int(a.seq_off[player + 1]) - low
    source = np.zeros(count + 1)
    source[0] = 1.0
    return sparse.csr_array((data, (rows, cols)), shape=(count + 1, size)), source


def _action_ranges(a: GameArrays, owned: slice) -> list[FloatArray]:
    pairs = zip(a.first[owned].tolist(), a.nact[owned].tolist(), strict=True)
    return [np.arange(first, first + count) for first, count in pairs]


def _payoffs(a: GameArrays) -> sparse.csr_array:
    """Return player 0's chance-weighted payoffs [S_0, S_1]."""
    own, end = int(a.seq_off[1]), int(a.rowptr[a.seq_off[1]])
    shape = (own, a.sequences - own)
    columns = a.col[0, :end].astype(np.int64) - own
    return sparse.csr_array((a.val[:end], columns, a.rowptr[: own + 1].astype(np.int64)), shape=shape)
