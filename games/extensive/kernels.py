"""Compiled passes over merged sequence-form arrays.

Axes: n players, S sequences, I infosets, M merged terminals; array names and dtypes as in
``GameArrays``.  All sequence and infoset numbers are global.  Every function writes only to the
ranges it is given and allocates nothing, so solvers call them inside their own kernels.

Rules of these loops, all measured: indices and row pointers are unsigned (signed ones cost the
negative-index test), sums use four accumulators joined in a fixed order, fast-math stays off.

Cost: a gradient reads 8(n + ... ) = 8 + 4(n - 1) bytes per entry of the player's block plus the
gathered reaches; the tree passes touch every action sequence of the player once.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def gradient1(rowptr, val, g, lo, hi):  # type: ignore[no-untyped-def]
    """Gradient of a one-player game: row sums of ``val``; arguments as in ``gradient2``."""
    for s in range(lo, hi):
        total = 0.0
        for k in range(rowptr[s], rowptr[s + 1]):
            total += val[k]
        g[s] = total


@kernel(forceinline=True)
def gradient2(rowptr, col0, val, x, g, lo, hi):  # type: ignore[no-untyped-def]
    """g[s] = sum_k val[k] x[col0[k]] over the entries of row s, for rows lo <= s < hi.

    Args:
        rowptr: uint [S+1] row pointers.
        col0: uint32 [n*M] sequence of the other player.
        val: float64 [n*M] entry values (``val`` for payoffs, ``cval`` for reach masses).
        x: float64 [S] realisation plans of all players.
        g: float64 [S] output; only rows lo..hi-1 are written.
        lo: First row.
        hi: One past the last row.
    """
    for s in range(np.uint64(lo), np.uint64(hi)):
        k = np.uint64(rowptr[s])
        end = np.uint64(rowptr[s + np.uint64(1)])
        body = k + ((end - k) & ~np.uint64(3))
        a0 = a1 = a2 = a3 = 0.0
        while k < body:
            a0 += val[k] * x[col0[k]]
            a1 += val[k + np.uint64(1)] * x[col0[k + np.uint64(1)]]
            a2 += val[k + np.uint64(2)] * x[col0[k + np.uint64(2)]]
            a3 += val[k + np.uint64(3)] * x[col0[k + np.uint64(3)]]
            k += np.uint64(4)
        while k < end:
            a0 += val[k] * x[col0[k]]
            k += np.uint64(1)
        g[s] = a0 + a1 + a2 + a3


@kernel(forceinline=True)
def gradient3(rowptr, col0, col1, val, x, g, lo, hi):  # type: ignore[no-untyped-def]
    """g[s] = sum_k val[k] (x[col0[k]] x[col1[k]]) for rows lo <= s < hi; see ``gradient2``.

    The product of the reaches comes first: it commutes to the last bit, so a game that does not change when
    the two others trade places keeps this symmetry.
    """
    for s in range(np.uint64(lo), np.uint64(hi)):
        k = np.uint64(rowptr[s])
        end = np.uint64(rowptr[s + np.uint64(1)])
        body = k + ((end - k) & ~np.uint64(3))
        a0 = a1 = a2 = a3 = 0.0
        while k < body:
            k1, k2, k3 = k + np.uint64(1), k + np.uint64(2), k + np.uint64(3)
            a0 += val[k] * (x[col0[k]] * x[col1[k]])
            a1 += val[k1] * (x[col0[k1]] * x[col1[k1]])
            a2 += val[k2] * (x[col0[k2]] * x[col1[k2]])
            a3 += val[k3] * (x[col0[k3]] * x[col1[k3]])
            k += np.uint64(4)
        while k < end:
            a0 += val[k] * (x[col0[k]] * x[col1[k]])
            k += np.uint64(1)
        # joined in pairs: symmetric three-player games stay symmetric for longer (docs/results.md)
        g[s] = (a0 + a1) + (a2 + a3)


@kernel
def gradient_n(rowptr, col, val, x, g, lo, hi):  # type: ignore[no-untyped-def]
    """g[s] = sum_k val[k] prod_j x[col[j, k]] for any number of other players; see ``gradient2``.

    ``col`` is uint32 [n-1, n*M].
    """
    others = np.uint64(col.shape[0])
    for s in range(np.uint64(lo), np.uint64(hi)):
        total = 0.0
        for k in range(np.uint64(rowptr[s]), np.uint64(rowptr[s + np.uint64(1)])):
            product = val[k]
            for j in range(others):
                product *= x[col[j, k]]
            total += product
        g[s] = total


@kernel(forceinline=True)
def gradient_rows(rowptr, col, val, x, g, lo, hi):  # type: ignore[no-untyped-def]
    """Gradient of rows lo <= s < hi for any number of players; branches once on ``col.shape[0]``."""
    others = col.shape[0]
    if others == 1:
        gradient2(rowptr, col[0], val, x, g, lo, hi)
    elif others == 2:
        gradient3(rowptr, col[0], col[1], val, x, g, lo, hi)
    elif others == 0:
        gradient1(rowptr, val, g, lo, hi)
    else:
        gradient_n(rowptr, col, val, x, g, lo, hi)


@kernel(forceinline=True)
def reach_forward(parent, first, nact, pol, x, ilo, ihi):  # type: ignore[no-untyped-def]
    """x[first+a] = x[parent] pol[first+a] for infosets ilo <= i < ihi of one player.

    The caller sets x of the player's empty sequence (to 1).  ``pol``, ``x``: float64 [S].
    """
    for i in range(np.uint64(ilo), np.uint64(ihi)):
        above = x[parent[i]]
        start = np.uint64(first[i])
        for s in range(start, start + np.uint64(nact[i])):
            x[s] = above * pol[s]


@kernel
def value_backward(parent, first, nact, pol, g, ilo, ihi):  # type: ignore[no-untyped-def]
    """Fold a gradient up the player's tree under ``pol``; afterwards g holds counterfactual values.

    For infosets ihi-1 down to ilo: g[parent] += sum_a pol[first+a] g[first+a].  Afterwards g of the
    player's empty sequence is the player's expected value.  ``pol``, ``g``: float64 [S].
    """
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= np.uint64(1)
        start = np.uint64(first[i])
        total = 0.0
        for s in range(start, start + np.uint64(nact[i])):
            total += pol[s] * g[s]
        g[parent[i]] += total


@kernel
def best_response_backward(parent, first, nact, g, ilo, ihi):  # type: ignore[no-untyped-def]
    """Fold a gradient up the tree with the maximum; g of the empty sequence becomes the best-response value."""
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= np.uint64(1)
        start = np.uint64(first[i])
        best = g[start]
        for s in range(start + np.uint64(1), start + np.uint64(nact[i])):
            best = max(best, g[s])
        g[parent[i]] += best


@kernel
def best_response_policy(first, nact, g, pol, ilo, ihi, tolerance, uniform):  # type: ignore[no-untyped-def]
    """Write a best response from the g left by ``best_response_backward`` into pol [S].

    Args:
        first: uint32 [I].
        nact: uint32 [I].
        g: float64 [S] values of the own actions.
        pol: float64 [S] output, only the player's action sequences are written.
        ilo: First infoset of the player.
        ihi: One past the last.
        tolerance: Actions within it of the maximum count as tied.
        uniform: True spreads over all tied actions, False takes the first of them.
    """
    for i in range(np.uint64(ilo), np.uint64(ihi)):
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        best = g[start]
        for s in range(start, end):
            best = max(best, g[s])
        tied = 0
        for s in range(start, end):
            hit = g[s] >= best - tolerance and (uniform or tied == 0)
            pol[s] = 1.0 if hit else 0.0
            tied += hit
        for s in range(start, end):
            pol[s] /= tied


@kernel
def expected_value(g, x, lo, hi):  # type: ignore[no-untyped-def]
    """Return sum_s g[s] x[s] over one player's sequences: the player's expected payoff.

    ``g`` is the plain gradient, before any backward pass.
    """
    total = 0.0
    for s in range(np.uint64(lo), np.uint64(hi)):
        total += g[s] * x[s]
    return total


@kernel
def full_reach(seq_off, iset_off, parent, first, nact, pol, x):  # type: ignore[no-untyped-def]
    """Fill the realisation plans x [S] of all players from behavioural probabilities pol [S]."""
    for p in range(seq_off.shape[0] - 1):
        x[seq_off[p]] = 1.0
        reach_forward(parent, first, nact, pol, x, iset_off[p], iset_off[p + 1])


@kernel
def values_and_responses(seq_off, iset_off, parent, first, nact, rowptr, col, val, x, g, values, responses):  # type: ignore[no-untyped-def]
    """Compute expected and best-response values of all players for realisation plans x.

    The first eight arguments are arrays of the game; x: float64 [S] realisation plans; g: float64 [S]
    work space; values, responses: float64 [n] outputs, the expected payoffs and the best-response
    payoffs against the others' plans.
    """
    for p in range(seq_off.shape[0] - 1):
        lo, hi = seq_off[p], seq_off[p + 1]
        gradient_rows(rowptr, col, val, x, g, lo, hi)
        values[p] = expected_value(g, x, lo, hi)
        best_response_backward(parent, first, nact, g, iset_off[p], iset_off[p + 1])
        responses[p] = g[lo]


@kernel
def normalise_sums(first, nact, sums, pol, ilo, ihi):  # type: ignore[no-untyped-def]
    """Write pol = sums / sum(sums) at each infoset, uniform where the sum is not positive; arrays [S]."""
    for i in range(np.uint64(ilo), np.uint64(ihi)):
        start = np.uint64(first[i])
        count = np.uint64(nact[i])
        total = 0.0
        for s in range(start, start + count):
            total += sums[s]
        for s in range(start, start + count):
            pol[s] = sums[s] / total if total > 0.0 else 1.0 / np.float64(count)


@kernel
def infoset_statistics(parent, first, nact, pol, x, value, mass, reach, regret):  # type: ignore[no-untyped-def]
    """Reach probability of every infoset and counterfactual regret of every action.

    ``value`` and ``mass`` [S] are the gradients of ``val`` and ``cval`` after ``value_backward``;
    outputs: reach [I] and regret [S].
    """
    for i in range(np.uint64(first.shape[0])):
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        v = 0.0
        m = 0.0
        for s in range(start, end):
            v += pol[s] * value[s]
            m += pol[s] * mass[s]
        for s in range(start, end):
            regret[s] = value[s] - v
        reach[i] = x[parent[i]] * m
