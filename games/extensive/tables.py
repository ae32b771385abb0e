"""Tables about a profile for the run store and the policy explorer.

Axes: S sequences, I infosets, A action sequences (S minus the empty ones).
"""

from __future__ import annotations

import numpy as np

from equilibria.games.extensive import kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy
from equilibria.sim.types import AnyArray, FloatArray


def policy_table(game: ExtensiveGame, policy: BehaviouralPolicy) -> dict[str, AnyArray]:
    """Return one row per action of every infoset.

    Columns [A]: ``player``, ``infoset`` (global number), ``infostate`` (text), ``action`` (the game's
    id), ``probability``, ``reach`` (probability that play passes through the infoset) and ``regret``
    (counterfactual regret of the action against the policy itself: its counterfactual value minus
    the infoset's).
    """
    a = game.arrays
    infoset = np.repeat(np.arange(a.infosets), a.nact)
    seq = action_sequences(game)
    owner = np.repeat(np.arange(a.players), a.iset_off[1:] - a.iset_off[:-1])[infoset]
    reach, regret = reach_and_regret(game, policy)
    return {
        "player": owner.astype(np.int64),
        "infoset": infoset.astype(np.int64),
        "infostate": np.array(game.infostates, dtype=np.str_)[infoset],
        "action": np.array([x for ids in game.actions for x in ids], dtype=np.int64),
        "probability": policy.probs[seq],
        "reach": reach[infoset],
        "regret": regret[seq],
    }


def action_sequences(game: ExtensiveGame) -> AnyArray:
    """Return the action sequences [A] in infoset order."""
    a = game.arrays
    ends = np.cumsum(a.nact.astype(np.int64))
    offset = np.arange(int(ends[-1]) if len(ends) else 0) - np.repeat(ends - a.nact, a.nact)
    return np.repeat(a.first.astype(np.int64), a.nact) + offset


def reach_and_regret(game: ExtensiveGame, policy: BehaviouralPolicy) -> tuple[FloatArray, FloatArray]:
    """Return the reach probability [I] of every infoset and the counterfactual regret [S] of every action."""
    a, x = game.arrays, policy.reach
    value, mass = np.zeros(a.sequences), np.zeros(a.sequences)
    for p in range(a.players):
        lo, hi, ilo, ihi = a.seq_off[p], a.seq_off[p + 1], a.iset_off[p], a.iset_off[p + 1]
        for entries, out in ((a.val, value), (a.cval, mass)):
            kernels.gradient_rows(a.rowptr, a.col, entries, x, out, lo, hi)
            kernels.value_backward(a.parent, a.first, a.nact, policy.probs, out, ilo, ihi)
    reach, regret = np.zeros(a.infosets), np.zeros(a.sequences)
    kernels.infoset_statistics(a.parent, a.first, a.nact, policy.probs, x, value, mass, reach, regret)
    return reach, regret
