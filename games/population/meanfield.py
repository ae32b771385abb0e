"""Heterogeneous mean-field predictions for contagion on a network with given degrees.

Axes: N nodes; degrees d_i; per period an infected agent infects each susceptible neighbour with
probability b and recovers with probability c.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.types import IntArray


def endemic_prevalence(degrees: IntArray, infection: float, recovery: float) -> float:
    """Return the stationary share of infected agents of the susceptible-infected-susceptible model.

    Degree classes balance c r_k = b k T (1 - r_k), where T = sum_k k P(k) r_k / <k> is the probability
    that an edge leads to an infected agent (Pastor-Satorras and Vespignani 2001, equations 1-4, for
    rates b and c).  0 below the epidemic threshold b <k^2> <= c <k>.
    """
    k = degrees.astype(np.float64)
    if infection == 0.0 or k.sum() == 0.0:
        return 0.0
    if recovery == 0.0:
        return float((k > 0).mean())
    ratio = infection / recovery
    if ratio * float((k * k).sum()) <= float(k.sum()):
        return 0.0

    from scipy.optimize import brentq  # costs 0.4 s to import, and only the certificate needs it

    def excess(theta: float) -> float:
        return float((k * (ratio * k / (1 + ratio * k * theta))).sum() / k.sum()) - 1.0

    theta = float(brentq(excess, 0.0, 1.0, xtol=1e-14))
    return float((ratio * k * theta / (1 + ratio * k * theta)).mean())


def transmissibility(infection: float, recovery: float) -> float:
    """Return the probability that an infected agent infects a given neighbour before it recovers.

    In each period it first tries to infect and then may recover, so the chance of never infecting is
    c (1 - b) + c (1 - c) (1 - b)^2 + ... and T = b / (b + c - b c); with c = 0 it is 1 for b > 0.
    """
    if infection == 0.0:
        return 0.0
    return infection / (infection + recovery - infection * recovery)


def attack_rate(degrees: IntArray, infection: float, recovery: float, *, initial: float = 0.0) -> float:
    """Return the share of agents that the susceptible-infected-recovered model reaches in the end.

    1 - (1 - e) G0(u) with u = 1 - T + T (1 - e) G1(u), where e is the share infected at the start, G0
    generates the degrees and G1 the further degrees of a neighbour, for random graphs with these
    degrees (Newman, Physical Review E 66 (2002) 016128, equations 25-28, which have e = 0).

    Args:
        degrees: int64 [N].
        infection: Probability b.
        recovery: Probability c.
        initial: Share e infected at the start; 0 means a large outbreak from a vanishing start, which
            does not exist (0 is returned) at and below the threshold T <k^2 - k> <= <k>.
    """
    k = degrees.astype(np.float64)
    chance = transmissibility(infection, recovery)
    if initial == 0.0 and (chance == 0.0 or chance * float((k * (k - 1)).sum()) <= float(k.sum())):
        return 0.0
    values, counts = np.unique(k, return_counts=True)
    edges = values * counts / max(1.0, float(k.sum()))
    further = np.maximum(values - 1, 0)
    u = 0.0
    for _ in range(100_000):  # increases monotonically to the smallest fixed point
        new = 1 - chance + chance * (1 - initial) * float((edges * u**further).sum())
        if new - u < 1e-14:
            break
        u = new
    return float(1 - (1 - initial) * (counts * u**values).sum() / k.size)
