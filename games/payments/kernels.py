"""Compiled draws of transactions and their chances; random numbers are counted by (generation, transaction, draw)."""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words

# streams of draws of one transaction; numeric features take draws 0, 1, ...
FACTS, SETS, ROUNDS = 1 << 10, 1 << 11, 1 << 7


@kernel
def transactions(  # type: ignore[no-untyped-def]
    key, generation, availability, least, late_share, issuers, features, issuer, available, late, coin
):
    """Draw a generation.

    The set of feasible actions is drawn until it holds at least ``least``.

    Args:
        key: uint64.
        generation: Its number, the step of the counters.
        availability: Probability that an action is feasible.
        least: Least number of feasible actions.
        late_share: Probability that feedback is late.
        issuers: Number of issuers.
        features: float64 [B, d], overwritten.
        issuer: int64 [B], overwritten.
        available: bool [B, K], overwritten.
        late: bool [B], overwritten.
        coin: float64 [B] in (0, 1), overwritten; a transaction with chance p is authorised if the coin is below p.
    """
    actions = available.shape[1]
    for i in range(features.shape[0]):
        for j in range(features.shape[1]):
            features[i, j] = normal(words(key, generation, i, j // 4)[j % 4])
        w0, w1, w2, _ = words(key, generation, i, FACTS)
        issuer[i] = bounded(w0, issuers)
        late[i] = unit(w1) < late_share
        coin[i] = unit(w2)
        count, attempt = 0, 0
        while count < least:
            count = 0
            for a in range(actions):
                available[i, a] = (
                    unit(words(key, generation, i, SETS + ROUNDS * attempt + a // 4)[a % 4]) < availability
                )
                count += available[i, a]
            attempt += 1


@kernel
def chances(base, by_issuer, weights, pairs, features, issuer, out):  # type: ignore[no-untyped-def]
    """Write the probability of authorisation sigmoid(base + u_issuer + w_a . x + s_{a, issuer}) of all actions.

    Args:
        base: Log-odds.
        by_issuer: float64 [I].
        weights: float64 [K, d].
        pairs: float64 [K, I].
        features: float64 [B, d].
        issuer: int64 [B].
        out: float64 [B, K], overwritten.
    """
    for i in range(features.shape[0]):
        k = issuer[i]
        for a in range(out.shape[1]):
            z = base + by_issuer[k] + pairs[a, k]
            for j in range(features.shape[1]):
                z += weights[a, j] * features[i, j]
            out[i, a] = 1.0 / (1.0 + np.exp(-z))
