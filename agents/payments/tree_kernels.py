"""Compiled gradient boosting on binned columns: histograms, best splits, leaf-wise trees, prediction.

Axes: F columns of bins (uint8), N rows, L leaves.  A node is a leaf if its column is -1.  A numeric split sends bins
up to its threshold to the left, a categorical one the bins in its set of bits.  The larger child's histogram is
the parent's minus the smaller one's.

Source: Friedman (2001), Annals of Statistics 29; Ke et al. (2017), LightGBM, NeurIPS (histograms, leaf-wise growth);
Fisher (1958) for ordering categories by their mean slope.
Cost of a tree: about F N log2(L) / 2 additions.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel

NUMERIC, CATEGORICAL = 0, 1
BINS = 256
LEAST_SUPPORT = 10.0  # rows that a category needs to be grouped, and the prior weight of its mean slope
LEAST_CURVATURE = 1e-3
_ONE = np.uint64(1)


@kernel
def histogram(bins, rows, slope, curvature, widths, out):  # type: ignore[no-untyped-def]
    """Add up slope, curvature and number of some rows by column and bin: out float64 [F, 256, 3]."""
    for f in range(bins.shape[0]):
        for b in range(widths[f]):
            out[f, b, 0] = out[f, b, 1] = out[f, b, 2] = 0.0
        column, table = bins[f], out[f]
        for r in rows:
            b = column[r]
            table[b, 0] += slope[r]
            table[b, 1] += curvature[r]
            table[b, 2] += 1.0


@kernel
def _scan(table, order, used, left, total, least, found):  # type: ignore[no-untyped-def]
    """Try all prefixes of an order of bins; write gain and number of bins of the best to ``found`` if it is better."""
    g, h, n = left
    for k in range(used):
        b = order[k]
        g += table[b, 0]
        h += table[b, 1]
        n += table[b, 2]
        rest = total[1] - h
        if n < least or h < LEAST_CURVATURE:
            continue
        if total[2] - n < least or rest < LEAST_CURVATURE:
            break
        gain = g * g / h + (total[0] - g) ** 2 / rest - total[0] ** 2 / total[1]
        if gain > found[0]:
            found[0], found[1] = gain, k + 1.0


@kernel
def best_split(hist, kinds, widths, total, least, threshold, bits):  # type: ignore[no-untyped-def]
    """Find the split with the largest gain G_l^2/H_l + G_r^2/H_r - G^2/H.

    Args:
        hist: float64 [F, 256, 3].
        kinds: int64 [F] NUMERIC or CATEGORICAL.
        widths: int64 [F] bins of each column.
        total: Sums (slope, curvature, rows) of the node.
        least: Least rows of a child.
        threshold: int64 [1], overwritten with the last bin on the left of a numeric split.
        bits: uint64 [4], overwritten with the categories on the left.

    Returns:
        Gain (0 if there is no split) and column.
    """
    order, key = np.empty(BINS, np.int64), np.empty(BINS)
    found = np.zeros(2)
    gain, column = 1e-12, -1
    for f in range(kinds.shape[0]):
        found[0] = gain
        used = widths[f]
        for b in range(used):
            order[b] = b
        if kinds[f] == CATEGORICAL:
            used = 0
            for b in range(widths[f]):
                if hist[f, b, 2] >= LEAST_SUPPORT:
                    z = hist[f, b, 0] / (hist[f, b, 1] + LEAST_SUPPORT)
                    k = used
                    while k > 0 and key[k - 1] > z:
                        key[k], order[k] = key[k - 1], order[k - 1]
                        k -= 1
                    key[k], order[k] = z, b
                    used += 1
        _scan(hist[f], order, used, (0.0, 0.0, 0.0), total, least, found)
        if found[0] > gain:
            gain, column = found[0], f
            last = np.int64(found[1])
            threshold[0] = last - 1
            bits[:] = np.uint64(0)
            if kinds[f] == CATEGORICAL:
                for k in range(last):
                    bits[order[k] >> 6] |= _ONE << np.uint64(order[k] & 63)
    return (gain, column) if column >= 0 else (0.0, -1)


@kernel(inline="always")
def goes_left(kind, b, threshold, bits):  # type: ignore[no-untyped-def]
    """Return whether a bin goes to the left child."""
    if kind == NUMERIC:
        return b <= threshold
    return (bits[b >> 6] >> np.uint64(b & 63)) & _ONE == _ONE


@kernel
def grow(  # type: ignore[no-untyped-def]
    bins, kinds, widths, rows, slope, curvature, leaves, least, rate, hist, column, threshold, bits, left, right, value
):
    """Grow one tree, always splitting the leaf with the largest gain; return its number of nodes.

    Args:
        bins: uint8 [F, N].
        kinds: int64 [F].
        widths: int64 [F].
        rows: int64 [n] rows to learn from; reordered.
        slope: float64 [N] first derivatives of the loss by the score.
        curvature: float64 [N] second derivatives.
        leaves: Largest number of leaves L.
        least: Least rows of a leaf.
        rate: Shrinkage.
        hist: float64 [L, F, 256, 3] workspace.
        column: int64 [nodes], overwritten; -1 for leaves; likewise the rest.
        threshold: int64 [nodes].
        bits: uint64 [nodes, 4].
        left: int64 [nodes].
        right: int64 [nodes].
        value: float64 [nodes] score of a leaf.
    """
    most = 2 * leaves - 1
    start, stop, place = np.zeros(most, np.int64), np.zeros(most, np.int64), np.zeros(most, np.int64)
    sums, gains, split = np.zeros((most, 3)), np.zeros(most), np.full(most, -1)
    spare = np.empty(rows.shape[0], np.int64)
    stop[0] = rows.shape[0]
    for r in rows:
        sums[0, 0] += slope[r]
        sums[0, 1] += curvature[r]
    sums[0, 2] = rows.shape[0]
    histogram(bins, rows, slope, curvature, widths, hist[0])
    gains[0], split[0] = best_split(
        hist[0], kinds, widths, (sums[0, 0], sums[0, 1], sums[0, 2]), least, threshold[:1], bits[0]
    )
    column[0], count, ends = -1, 1, 1
    while ends < leaves:
        node = -1
        for k in range(count):
            if column[k] < 0 and split[k] >= 0 and (node < 0 or gains[k] > gains[node]):
                node = k
        if node < 0:
            break
        f, low, high = split[node], start[node], stop[node]
        # rows of the left child move to the front, in their order
        front, back = low, 0
        for k in range(low, high):
            r = rows[k]
            if goes_left(kinds[f], bins[f, r], threshold[node], bits[node]):
                rows[front] = r
                front += 1
            else:
                spare[back] = r
                back += 1
        rows[front:high] = spare[:back]
        a, b = count, count + 1
        column[node], left[node], right[node] = f, a, b
        start[a], stop[a], start[b], stop[b] = low, front, front, high
        small, large = (a, b) if front - low <= high - front else (b, a)
        place[small], place[large] = ends, place[node]
        histogram(bins, rows[start[small] : stop[small]], slope, curvature, widths, hist[ends])
        old, new = hist[place[large]], hist[ends]
        for j in range(bins.shape[0]):
            for c in range(widths[j]):
                for m in range(3):
                    old[j, c, m] -= new[j, c, m]
        for k in (small, large):
            table = hist[place[k]][0]
            for c in range(widths[0]):
                for m in range(3):
                    sums[k, m] += table[c, m]
            column[k], split[k] = -1, -1
            if sums[k, 2] >= 2 * least:
                gains[k], split[k] = best_split(
                    hist[place[k]], kinds, widths, (sums[k, 0], sums[k, 1], sums[k, 2]), least, threshold[k : k + 1],
                    bits[k],
                )  # fmt: skip
        count += 2
        ends += 1
    for k in range(count):
        value[k] = -rate * sums[k, 0] / (sums[k, 1] + 1e-15) if column[k] < 0 else 0.0
    return count


@kernel(inline="always")
def leaf_of(bins, r, kinds, column, threshold, bits, left, right):  # type: ignore[no-untyped-def]
    """Return the leaf that row ``r`` of bins [F, N] reaches."""
    node = 0
    while column[node] >= 0:
        f = column[node]
        node = left[node] if goes_left(kinds[f], bins[f, r], threshold[node], bits[node]) else right[node]
    return node


@kernel
def boost(  # type: ignore[no-untyped-def]
    bins, kinds, widths, reward, training, held, leaves, least, rate, patience, column, threshold, bits, left, right,
    value,
):  # fmt: skip
    """Fit trees to the logistic loss; return their number and the first score.

    The fit stops when none of the last ``patience`` losses on the held-out rows is better than the one before them.

    Args:
        bins: uint8 [F, N].
        kinds: int64 [F].
        widths: int64 [F].
        reward: float64 [N] in {0, 1}.
        training: int64 [n] rows to learn from; reordered.
        held: int64 [v] rows that judge.
        leaves: Leaves of a tree.
        least: Least rows of a leaf.
        rate: Shrinkage.
        patience: 0 to never stop early.
        column: int64 [T, nodes], overwritten; likewise the rest, see ``grow``.
        threshold: int64 [T, nodes].
        bits: uint64 [T, nodes, 4].
        left: int64 [T, nodes].
        right: int64 [T, nodes].
        value: float64 [T, nodes].
    """
    n = bins.shape[1]
    mean = 0.0
    for r in training:
        mean += reward[r]
    mean = min(max(mean / training.shape[0], 1e-6), 1.0 - 1e-6)
    first = np.log(mean / (1.0 - mean))
    score, slope, curvature = np.full(n, first), np.zeros(n), np.zeros(n)
    hist = np.zeros((leaves, bins.shape[0], BINS, 3))
    losses = np.zeros(column.shape[0] + 1)
    for t in range(column.shape[0] + 1):
        for r in held:
            losses[t] += np.log1p(np.exp(-abs(score[r]))) + max(score[r], 0.0) - reward[r] * score[r]
        losses[t] /= max(1, held.shape[0])
        if patience > 0 and t > patience:
            better = False
            for k in range(t - patience + 1, t + 1):
                better |= losses[k] < losses[t - patience] - 1e-7
            if not better:
                return t, first
        if t == column.shape[0]:
            break
        for r in training:
            p = 1.0 / (1.0 + np.exp(-score[r]))
            slope[r], curvature[r] = p - reward[r], p * (1.0 - p)
        grow(
            bins, kinds, widths, training, slope, curvature, leaves, least, rate, hist, column[t], threshold[t], bits[t],
            left[t], right[t], value[t],
        )  # fmt: skip
        for r in range(n):
            score[r] += value[t, leaf_of(bins, r, kinds, column[t], threshold[t], bits[t], left[t], right[t])]
    return column.shape[0], first


@kernel
def predict(bins, available, kinds, first, nodes, bits, value, out):  # type: ignore[no-untyped-def]
    """Write the predicted chances of feasible actions.

    All feasible actions of a row walk down a tree together, as a set of bits that only splits by action divide.

    Args:
        bins: uint8 [B, F]; the last column is the action's and is not read.
        available: bool [B, K].
        kinds: int64 [F].
        first: First score.
        nodes: int32 [T, nodes, 4]: column (-1 for a leaf), threshold, left and right child.
        bits: uint64 [T, nodes, 4].
        value: float64 [T, nodes].
        out: float64 [B, K], overwritten where actions are feasible.
    """
    last, actions = kinds.shape[0] - 1, available.shape[1]
    width = (actions + 63) >> 6
    waiting, sets = np.zeros(nodes.shape[1] + 1, np.int64), np.zeros((nodes.shape[1] + 1, width), np.uint64)
    whole, score = np.zeros(width, np.uint64), np.zeros(actions)
    for i in range(available.shape[0]):
        row = bins[i]
        whole[:] = np.uint64(0)
        for a in range(actions):
            score[a] = first
            if available[i, a]:
                whole[a >> 6] |= _ONE << np.uint64(a & 63)
        for t in range(nodes.shape[0]):
            tree = nodes[t]
            depth, waiting[0] = 0, 0
            sets[0] = whole
            while depth >= 0:
                node = waiting[depth]
                while tree[node, 0] >= 0:
                    f = tree[node, 0]
                    if f != last:
                        go = goes_left(kinds[f], row[f], tree[node, 1], bits[t, node])
                        node = tree[node, 2] if go else tree[node, 3]
                        continue
                    one, other = np.uint64(0), np.uint64(0)
                    for w in range(width):
                        one |= sets[depth, w] & bits[t, node, w]
                        other |= sets[depth, w] & ~bits[t, node, w]
                    if one == 0 or other == 0:
                        node = tree[node, 2] if one != 0 else tree[node, 3]
                        continue
                    for w in range(width):
                        sets[depth + 1, w] = sets[depth, w] & bits[t, node, w]
                        sets[depth, w] &= ~bits[t, node, w]
                    waiting[depth] = tree[node, 3]
                    depth += 1
                    node = tree[node, 2]
                for w in range(width):
                    left, a = sets[depth, w], w << 6
                    while left != 0:
                        if left & _ONE != 0:
                            score[a] += value[t, node]
                        left >>= _ONE
                        a += 1
                depth -= 1
        for a in range(actions):
            if available[i, a]:
                out[i, a] = 1.0 / (1.0 + np.exp(-score[a]))
