"""Sampled payoffs of one joint policy: episodes drawn from the merged terminals of the game.

An episode is a merged terminal m, drawn with its probability (chance times the players' plans); its
payoff is the terminal's utility, averaged over chance events that no player's sequence reveals.
The draw number i of an entry is a pure function of (key, i), so results depend neither on the
number of workers nor on how episodes are split into calls.

Cost: O(M) per entry for the distribution, O(log M) per episode.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

_BLOCK = 64


@kernel
def _distribution(rowptr, col, cval, x, lo, hi, cumulative):  # type: ignore[no-untyped-def]
    """Write cumulative terminal probabilities of rows lo..hi-1 into ``cumulative``; returns the total."""
    start = rowptr[lo]
    total = 0.0
    for s in range(lo, hi):
        own = x[s]
        for k in range(rowptr[s], rowptr[s + 1]):
            p = own * cval[k]
            for j in range(col.shape[0]):
                p *= x[col[j, k]]
            total += p
            cumulative[k - start] = total
    return total


@kernel
def sample_entry(rowptr, col, val, cval, x, lo, hi, key, episodes, z, width, cumulative, out):  # type: ignore[no-untyped-def]
    """Estimate the payoff of the player who owns rows lo..hi-1 under plans x.

    Args:
        rowptr: As in GameArrays; likewise col, val, cval.
        col: See above.
        val: See above.
        cval: See above.
        x: float64 [S] plans of the joint policy.
        lo: First sequence of the player.
        hi: One past the last.
        key: 64-bit key of the entry.
        episodes: Most episodes, >= 2.
        z: Normal quantile for the adaptive rule.
        width: Stop after a block of 64 episodes when z s / sqrt(N) <= width; negative for never.
        cumulative: float64 [M] work.
        out: float64 [3] receives mean, sum of squared deviations and number of episodes (Welford).
    """
    start, count = rowptr[lo], np.int64(rowptr[hi] - rowptr[lo])
    total = _distribution(rowptr, col, cval, x, lo, hi, cumulative)
    mean, m2, n = 0.0, 0.0, 0
    while n < episodes:
        u = uniform(key, n, 0, 0) * total
        k = min(np.searchsorted(cumulative[:count], u, side="right"), count - 1)
        payoff = val[start + k] / cval[start + k]
        n += 1
        delta = payoff - mean
        mean += delta / n
        m2 += delta * (payoff - mean)
        if width >= 0.0 and n % _BLOCK == 0 and z * math.sqrt(m2 / (n - 1) / n) <= width:
            break
    out[0], out[1], out[2] = mean, m2, n


@kernel
def sample_entries(  # type: ignore[no-untyped-def]
    seq_off, rowptr, col, val, cval, plans, entries, keys, player, episodes, z, width, out
):
    """Estimate a player's payoff at several joint policies.

    Args:
        seq_off: As in GameArrays; likewise rowptr, col, val, cval.
        rowptr: See above.
        col: See above.
        val: See above.
        cval: See above.
        plans: float64 [C, S].
        entries: int64 [E, n] joint policies.
        keys: uint64 [E].
        player: Whose payoff.
        episodes: As in ``sample_entry``; likewise z and width.
        z: See above.
        width: See above.
        out: float64 [E, 3].
    """
    lo, hi = np.int64(seq_off[player]), np.int64(seq_off[player + 1])
    cumulative = np.empty(np.int64(rowptr[hi] - rowptr[lo]))
    x = np.empty(plans.shape[1])
    for e in range(entries.shape[0]):
        for q in range(entries.shape[1]):
            for s in range(np.int64(seq_off[q]), np.int64(seq_off[q + 1])):
                x[s] = plans[entries[e, q], s]
        sample_entry(rowptr, col, val, cval, x, lo, hi, keys[e], episodes, z, width, cumulative, out[e])
