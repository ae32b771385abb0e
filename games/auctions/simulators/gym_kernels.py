"""Compiled auctions of AuctionGym's model.

Axes: N bidders, P participants, I ads per bidder, d entries of a context, o of them seen, R auctions.

Auction r reads the words of counter (r, 0): d for the context, P for the participants, one for the click;
bidder i reads counter (r, 1 + i) for its own randomness.  So an auction depends on its number only.

The best ad by click rate times value needs few exponentials: log v + z bounds log(v sigmoid(z)) from above
and is nearly exact at the low rates of the model, so only ads whose bound beats the best one are computed.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

NET, GROSS, EXPECTED, ALLOCATION, ESTIMATION, OVERBID, UNDERBID, SQUARES, BIAS, GAMMA, PLAYED, WON, PAID = range(13)
FIELDS = 13
FIXED, NORMAL, WIN_NETWORK, POLICY_NETWORK = range(4)
L_CTR, L_TRUE, L_VALUE, L_GAMMA, L_RAW, L_DENSITY, L_BID, L_RIVAL, L_PRICE, L_WON, L_CLICK = range(11)
LOGGED = 11
HIDDEN = 16
GRID = 128


@kernel(inline="always")
def sigmoid(z):  # type: ignore[no-untyped-def]
    """Return 1 / (1 + exp(-z))."""
    return 1.0 / (1.0 + np.exp(-z))


@kernel
def network(w, x, inputs, hidden, out, outputs):  # type: ignore[no-untyped-def]
    """Evaluate a network of one layer of softsign units, x / (1 + |x|).

    Args:
        w: float64 [HIDDEN (inputs + 1) + outputs (HIDDEN + 1)]: rows of the first layer, then of the second.
        x: float64 [inputs].
        inputs: Number of inputs.
        hidden: float64 [HIDDEN], overwritten.
        out: float64 [outputs], overwritten.
        outputs: Number of outputs.
    """
    for h in range(HIDDEN):
        at = h * (inputs + 1)
        total = w[at + inputs]
        for k in range(inputs):
            total += w[at + k] * x[k]
        hidden[h] = total / (1.0 + abs(total))
    start = HIDDEN * (inputs + 1)
    for j in range(outputs):
        at = start + j * (HIDDEN + 1)
        total = w[at + HIDDEN]
        for h in range(HIDDEN):
            total += w[at + h] * hidden[h]
        out[j] = total


@kernel(forceinline=True)
def _best_item(weights, values, logs, i, x, size, bound):  # type: ignore[no-untyped-def]
    """Return (ad, click rate, score) of the highest score of bidder i; ties go to the lower number."""
    items = values.shape[1]
    first, highest = 0, -np.inf
    for k in range(items):
        z = 0.0
        for j in range(size):
            z += weights[i, k, j] * x[j]
        u = z + logs[i, k]
        bound[k] = u
        if u > highest:
            first, highest = k, u
    rate = sigmoid(highest - logs[i, first])
    best, score, chosen = first, values[i, first] * rate, rate
    level = np.log(score)
    for k in range(items):
        if k != first and bound[k] > level:
            rate = sigmoid(bound[k] - logs[i, k])
            new = values[i, k] * rate
            if new > score or (new == score and k < best):
                best, score, chosen, level = k, new, rate, np.log(new)
    return best, chosen, score


@kernel
def play(  # type: ignore[no-untyped-def]
    key, first, rounds, participants, second_price, sigma, weights, values, logs, observed, oracle, mean, spread,
    shading, parameters, nets, totals, log, who, item, contexts,
):  # fmt: skip
    """Run ``rounds`` auctions from number ``first`` on.

    Args:
        key: uint64 key.
        first: Number of the first auction.
        rounds: R.
        participants: P.
        second_price: True, or False for first price.
        sigma: Standard deviation of contexts.
        weights: float64 [N, I, d + 1] ads, the intercept last.
        values: float64 [N, I] per click.
        logs: float64 [N, I] logarithms of ``values``.
        observed: o.
        oracle: bool [N], True if the bidder knows the click rates.
        mean: float64 [N, I, o + 1] estimated ads.
        spread: float64 [N, I, o + 1] standard deviations for Thompson sampling.
        shading: int64 [N] FIXED, NORMAL, WIN_NETWORK, POLICY_NETWORK.
        parameters: float64 [N, 2] centre and width of the shading factor.
        nets: float64 [N, W] networks.
        totals: float64 [N, 13], added to.
        log: float64 [R, P, 11] what happened, or [0, P, 11] for none.
        who: int64 [R, P] bidders, or [0, P].
        item: int64 [R, P] ads, or [0, P].
        contexts: float64 [R, o + 1] what bidders saw, or [0, o + 1].
    """
    bidders, items, size = weights.shape
    d = size - 1
    blocks = (d + participants + 4) // 4
    stream = np.empty(4 * blocks, np.uint64)
    x, seen = np.ones(size), np.ones(observed + 1)
    order, swaps = np.arange(bidders), np.zeros(participants, np.int64)
    bound, sample = np.empty(items), np.empty(items)
    hidden, out, given = np.empty(HIDDEN), np.empty(1), np.empty(3)
    ctr, true, worth, gamma = (
        np.empty(participants),
        np.empty(participants),
        np.empty(participants),
        np.empty(participants),
    )
    raw, density, bids, ads = (
        np.empty(participants),
        np.ones(participants),
        np.empty(participants),
        np.zeros(participants, np.int64),
    )
    for r in range(rounds):
        number = first + r
        for b in range(blocks):
            stream[4 * b], stream[4 * b + 1], stream[4 * b + 2], stream[4 * b + 3] = words(key, number, 0, b)
        for j in range(d):
            x[j] = sigma * normal(stream[j])
        for j in range(observed):
            seen[j] = x[j]
        best = rival = -1.0
        winner = 0
        for p in range(participants):
            other = p + bounded(stream[d + p], bidders - p)
            i = order[other]
            order[other], order[p], swaps[p] = order[p], i, other
            top, rate, score = _best_item(weights, values, logs, i, x, size, bound)
            if oracle[i]:
                ads[p], ctr[p], true[p] = top, rate, rate
            else:
                _estimate(key, number, i, mean, spread, values, seen, observed, sample, ads, ctr, p)
                z = 0.0
                for j in range(size):
                    z += weights[i, ads[p], j] * x[j]
                true[p] = sigmoid(z)
            worth[p] = values[i, ads[p]]
            raw[p] = parameters[i, 0]
            if shading[i] != FIXED:
                given[0], given[1] = np.log(ctr[p]), np.log(worth[p])
                raw[p], density[p] = _shade(
                    key, number, i, shading[i], parameters, nets[i], given, hidden, out, ctr[p] * worth[p]
                )
            gamma[p] = min(1.0, max(0.0, raw[p])) if shading[i] != FIXED else raw[p]
            bids[p] = gamma[p] * ctr[p] * worth[p]
            if bids[p] > rival:
                if bids[p] > best:
                    best, rival, winner = bids[p], best, p
                else:
                    rival = bids[p]
            t = totals[i]
            t[ALLOCATION] += max(0.0, score - true[p] * worth[p])
            t[ESTIMATION] += (ctr[p] - true[p]) * worth[p]
            t[SQUARES] += (ctr[p] - true[p]) ** 2
            t[GAMMA] += gamma[p]
            t[PLAYED] += 1.0
        rival = max(rival, 0.0)
        price = rival if second_price else best
        click = 1.0 if unit(stream[d + participants]) < true[winner] else 0.0
        for p in range(participants):
            t = totals[order[p]]
            if p == winner:
                gain = worth[p] * click
                t[GROSS] += gain
                t[NET] += gain - price
                t[EXPECTED] += true[p] * worth[p]
                t[OVERBID] += price - rival
                t[BIAS] += ctr[p] / true[p]
                t[WON] += 1.0
                t[PAID] += price
            elif price < true[p] * worth[p]:
                t[UNDERBID] += price - bids[p]
        if log.shape[0] > 0:
            contexts[r] = seen
            for p in range(participants):
                who[r, p], item[r, p] = order[p], ads[p]
                row = log[r, p]
                row[L_CTR], row[L_TRUE], row[L_VALUE] = ctr[p], true[p], worth[p]
                row[L_GAMMA], row[L_RAW], row[L_DENSITY] = gamma[p], raw[p], density[p]
                row[L_BID], row[L_PRICE] = bids[p], price
                row[L_RIVAL] = rival if p == winner else best
                row[L_WON], row[L_CLICK] = p == winner, click if p == winner else 0.0
        for p in range(participants - 1, -1, -1):  # undo: the next auction must not depend on this one
            order[p], order[swaps[p]] = order[swaps[p]], order[p]


@kernel
def _estimate(key, number, i, mean, spread, values, seen, observed, sample, ads, ctr, p):  # type: ignore[no-untyped-def]
    """Choose the ad by sampled click rates (Thompson); the rate that is bid on is the estimate itself."""
    best, size = -1.0, observed + 1
    for k in range(sample.shape[0]):
        z = 0.0
        for j in range(size):
            drawn = mean[i, k, j]
            if spread[i, k, j] > 0.0:
                at = k * size + j
                w = words(key, number, 1 + i, 1 + at // 4)
                word = w[0] if at % 4 == 0 else w[1] if at % 4 == 1 else w[2] if at % 4 == 2 else w[3]
                drawn += spread[i, k, j] * normal(word)
            z += drawn * seen[j]
        sample[k] = values[i, k] * sigmoid(z)
        if sample[k] > best:
            best, ads[p] = sample[k], k
    z = 0.0
    for j in range(size):
        z += mean[i, ads[p], j] * seen[j]
    ctr[p] = sigmoid(z)


@kernel
def _shade(key, number, i, kind, parameters, net, given, hidden, out, worth):  # type: ignore[no-untyped-def]
    """Return the shading factor before clipping and its density (1 where it is no random policy)."""
    if kind == WIN_NETWORK:
        best, chosen, w = -1.0, 1.0, words(key, number, 1 + i, 0)
        for k in range(GRID):
            if k % 4 == 0:
                w = words(key, number, 1 + i, 1_000_000 + k // 4)
            word = w[0] if k % 4 == 0 else w[1] if k % 4 == 1 else w[2] if k % 4 == 2 else w[3]
            given[2] = 0.1 + 0.9 * unit(word)
            network(net, given, 3, hidden, out, 1)
            gain = sigmoid(out[0]) * worth * (1.0 - given[2])
            if gain > best:
                best, chosen = gain, given[2]
        return chosen, 1.0
    centre, width = parameters[i, 0], parameters[i, 1]
    if kind == POLICY_NETWORK:
        network(net, given, 2, hidden, out, 1)
        centre = sigmoid(out[0])
    e = normal(words(key, number, 1 + i, 0)[0])
    return centre + width * e, np.exp(-0.5 * e * e) / max(width, 1e-12)


@kernel
def deviations(log, who, second_price, grid, own, gains):  # type: ignore[no-untyped-def]
    """Add up expected utilities of shading factors against the rivals' bids that were met.

    Args:
        log: float64 [R, P, 11].
        who: int64 [R, P].
        second_price: True or False.
        grid: float64 [G] shading factors.
        own: float64 [N] expected utility of what was bid, added to.
        gains: float64 [N, G] expected utility of each factor, added to.
    """
    for r in range(log.shape[0]):
        for p in range(log.shape[1]):
            row, i = log[r, p], who[r, p]
            worth, shown, rival = row[L_TRUE] * row[L_VALUE], row[L_CTR] * row[L_VALUE], row[L_RIVAL]
            if row[L_WON] > 0.0:
                own[i] += worth - (rival if second_price else row[L_BID])
            for g in range(grid.shape[0]):
                bid = grid[g] * shown
                if bid > rival or (bid == rival and row[L_WON] > 0.0):
                    gains[i, g] += worth - (rival if second_price else bid)
