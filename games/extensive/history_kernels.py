"""Compiled sweeps over histories, for games of imperfect recall.

Axes: n players, H histories in preorder, S action slots; arrays as in ``HistoryGame``.

Cost: about 3 ns per history and player.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def reaches(parent, edge, player, pol, p, own, others):  # type: ignore[no-untyped-def]
    """Forward sweep: own reach of player p and the product of the other players' reaches, chance left out.

    Args:
        parent: uint32 [H].
        edge: int32 [H] slot that leads to the history, -1 after chance.
        player: int32 [H].
        pol: float64 [S] probabilities.
        p: Player.
        own: float64 [H] output.
        others: float64 [H] output.
    """
    own[0] = others[0] = 1.0
    for h in range(np.uint64(1), np.uint64(parent.shape[0])):
        above = np.uint64(parent[h])
        own[h], others[h] = own[above], others[above]
        if edge[h] >= 0:
            if player[above] == p:
                own[h] *= pol[np.uint64(edge[h])]
            else:
                others[h] *= pol[np.uint64(edge[h])]


@kernel
def weighted_values(parent, edge, chance, player, utility, pol, w):  # type: ignore[no-untyped-def]
    """Backward sweep: w [H] = chance reach times expected payoff of a history, utility: float64 [H]."""
    for leaf in range(parent.shape[0]):
        w[leaf] = chance[leaf] * utility[leaf]
    h = np.uint64(parent.shape[0])
    while h > np.uint64(1):
        h -= np.uint64(1)
        above = np.uint64(parent[h])
        w[above] += w[h] * pol[np.uint64(edge[h])] if edge[h] >= 0 else w[h]


@kernel
def action_values(parent, edge, chance, player, utility, pol, p, own, others, w, q, mass, realised):  # type: ignore[no-untyped-def]
    """Counterfactual action values and own reaches of player p's slots, summed over histories.

    The first five arguments are arrays of the tree (utility: player p's only, [H]), pol [S] the
    probabilities, own, others and w float64 [H] work space.  Outputs, whose slots of player p must be 0:
    q [S], the sum of the others' and chance's reach times value, and mass [S], the sum of own reach
    times own probability.  ``realised`` weights q with the own reach too: then sum_a pol q is what the
    infoset contributes to the payoff, and deviating at this infoset alone is worth max_a q.
    """
    reaches(parent, edge, player, pol, p, own, others)
    weighted_values(parent, edge, chance, player, utility, pol, w)
    for h in range(np.uint64(1), np.uint64(parent.shape[0])):
        above = np.uint64(parent[h])
        if player[above] == p:
            slot = np.uint64(edge[h])
            q[slot] += others[above] * w[h] * (own[above] if realised else 1.0)
            mass[slot] += own[above] * pol[slot]
