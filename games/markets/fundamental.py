"""The fundamental value: dr = kappa (mean - r) dt + s dW, with rare large shocks; exact steps of any length.

``oracle`` holds value, time (seconds), time of the next shock and the number of steps drawn; ``law`` mean, kappa, s, shock
rate, shock mean and shock variance.  The value is drawn where it is asked for, in time order, as in a sparse oracle.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.auctions.simulators.draws import normal, unit
from equilibria.sim.jit import kernel
from equilibria.sim.philox import words

CELLS = 4
MEAN, KAPPA, VOLATILITY, RATE, SIZE, VARIANCE = range(6)
STREAM = np.int64(0xFFFFFFF0)  # the number that stands for the oracle in counters
_SHOCK, _STEP = np.int64(0), np.int64(1)  # draws


@kernel(counted=False)
def four(key, step, agent, draw):  # type: ignore[no-untyped-def]
    """Return four random words; not inlined, which keeps the many callers small."""
    return words(key, step, agent, draw)


@kernel(counted=False)
def _move(oracle, law, until, word):  # type: ignore[no-untyped-def]
    gap = until - oracle[1]
    k = law[KAPPA]
    keep = math.exp(-k * gap)
    variance = law[VOLATILITY] ** 2 * (gap if k * gap < 1e-9 else (1.0 - keep * keep) / (2.0 * k))
    oracle[0] = law[MEAN] + keep * (oracle[0] - law[MEAN]) + math.sqrt(variance) * normal(word)
    oracle[1] = until


@kernel(counted=False)
def advance(oracle, law, key, now):  # type: ignore[no-untyped-def]
    """Move the value to ``now`` (nanoseconds); shocks on the way come at their times."""
    until = now * 1e-9
    if until <= oracle[1]:
        return
    while oracle[2] <= until:
        w = four(key, np.int64(oracle[3]), STREAM, _SHOCK)
        oracle[3] += 1.0
        _move(oracle, law, oracle[2], w[0])
        size = law[SIZE] + math.sqrt(law[VARIANCE]) * normal(w[1])
        oracle[0] += size if (w[2] & np.uint64(1)) == np.uint64(0) else -size
        oracle[2] += -math.log(unit(w[3])) / law[RATE]
    w = four(key, np.int64(oracle[3]), STREAM, _STEP)
    oracle[3] += 1.0
    _move(oracle, law, until, w[0])
