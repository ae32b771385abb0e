"""Local update rules of the regret minimisers, and the loops around them.

Axes: n players, S sequences, I infosets; game arrays as in ``GameArrays``.

One iteration of every method: for each player, gradient of the own payoff (``games.extensive.kernels``),
then one backward pass over the own infosets that folds values upward and applies the method's local
rules, then one forward pass for the own reaches.  The whole iteration loop is compiled.

State of a solver, all float64: pol [S] current policy, x [S] own reach of every sequence under pol,
R [S] cumulative regrets, S [S] policy sums, g [S] work, extra (method's own).  Parameters are one float
vector per kernel whose layout the constants below name; methods are rows of numbers, not code.

Every family has its own copy of the short iteration loop: a shared one would make numba compile the local
rules of all families for whichever method is asked for.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.extensive.kernels import gradient_rows
from equilibria.sim.jit import kernel

# Parameters of the discounting family (``run_discounted``).
ALPHA, ALPHA_SLOPE, ALPHA_ON = 0, 1, 2
BETA, BETA_SLOPE, BETA_ON = 3, 4, 5
OFFSET = 6  # added to s^alpha in the denominator of the discount
SHIFT = 7  # the discount index is t - 1 + SHIFT
LINEAR = 8  # 1: instantaneous regrets are weighted by t
FLOOR = 9  # lower bound of cumulative regrets: 0 clips, -inf does not
PROJECT = 10  # 1: the prediction discounts the cumulative regret once more
OPTIMISM, OPTIMISM_DECAY = 11, 12
EXPONENT = 13
GAMMA, GAMMA_SLOPE = 14, 15
WARM = 16
BUDGET = 17
ZERO_TOL = 18
BOOST = 19
DISCOUNTED_SIZE = 20

# Parameters of VAD-CFR (``run_vad``).
V_ALPHA, V_BETA, V_SENS, V_RMAX, V_BOOST, V_EWMA, V_FLOOR = 0, 1, 2, 3, 4, 5, 6
V_OPT, V_OPT_DECAY, V_EXPONENT = 7, 8, 9
V_GAMMA, V_GAMMA_MAX, V_GAMMA_SENS, V_WARM, V_STAB, V_MAG = 10, 11, 12, 13, 14, 15
V_ADAPTIVE = 16  # 0: plain weights t^GAMMA
V_GLOBAL = 17  # 1: one moving average for all infosets
V_ZERO_TOL = 18
VAD_SIZE = 19

# Parameters of AOD-CFR (``run_aod``).
A_RAMP, A_ZERO_TOL = 0, 1
AOD_SIZE = 2
_AOD_EPS, _AOD_MIN_SUM = 1e-9, 1e-12

_U1 = np.uint64(1)


@kernel(forceinline=True)
def discount(base, exponent, offset):  # type: ignore[no-untyped-def]
    """Return base^e / (base^e + offset), 0 for base 0 (the factor then multiplies a zero regret)."""
    if base <= 0.0:
        return 0.0
    power = base * math.sqrt(base) if exponent == 1.5 else base**exponent
    return power / (power + offset)


@kernel(forceinline=True)
def decay(t, gamma):  # type: ignore[no-untyped-def]
    """Return ((t-1)/t)^gamma: the recursive form of averaging weights t^gamma."""
    ratio = (t - 1.0) / t
    if gamma == 1.0:
        return ratio
    if gamma == 2.0:
        return ratio * ratio
    if gamma == 0.0:
        return 1.0
    return ratio**gamma


@kernel(forceinline=True)
def local_linear(parent, first, nact, pol, x, R, S, g, ilo, ihi, dpos, dneg, weight, floor, keep, add, cR, cr, zero):  # type: ignore[no-untyped-def]
    """Apply one iteration's rules with projection exponent 1 to infosets ilo..ihi-1.

    R <- max(floor, d R + weight r); S <- keep S + add x; pol ~ max(0, cR R + cr r).
    """
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= _U1
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        if end - start == _U1:  # nothing to choose: no regret, probability one
            g[parent[i]] += g[start]
            continue
        value = 0.0
        for s in range(start, end):
            value += pol[s] * g[s]
        g[parent[i]] += value
        total = 0.0
        for s in range(start, end):
            r = g[s] - value
            r = 0.0 if abs(r) < zero else r
            old = R[s]
            new = max(floor, dpos * max(old, 0.0) + dneg * min(old, 0.0) + weight * r)
            R[s] = new
            S[s] = keep * S[s] + add * x[s]
            z = max(0.0, cR * new + cr * r)
            pol[s] = z
            total += z
        g[start] = total


@kernel(forceinline=True)
def normalise_and_reach(parent, first, nact, pol, x, g, ilo, ihi):  # type: ignore[no-untyped-def]
    """Divide pol by the sums that the backward pass left in g[first], uniform where 0, and fill the own reaches.

    One loop over the actions instead of two: short loops of changing length cost a branch miss each.
    """
    for i in range(np.uint64(ilo), np.uint64(ihi)):
        above = x[parent[i]]
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        if end - start == _U1:
            x[start] = above
            continue
        total = g[start]
        if total > 0.0:
            for s in range(start, end):
                p = pol[s] / total
                pol[s] = p
                x[s] = above * p
        else:
            even = 1.0 / np.float64(end - start)
            for s in range(start, end):
                pol[s] = even
                x[s] = above * even


@kernel(forceinline=True)
def raised(z, exponent):  # type: ignore[no-untyped-def]
    """Return z^exponent for z >= 0, without a power function for the usual exponents."""
    if exponent == 1.5:
        return z * math.sqrt(z)
    if exponent == 1.0:
        return z
    if exponent == 2.0:
        return z * z
    return z**exponent if z > 0.0 else 0.0


@kernel(forceinline=True)
def local_powered(  # type: ignore[no-untyped-def]
    parent, first, nact, pol, x, R, S, g, ilo, ihi, dpos, dneg, weight, floor, keep, add, cR, cr, zero, exponent, boost
):
    """As ``local_linear`` with a boost of positive regrets and pol ~ max(0, cR R + cr r)^exponent."""
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= _U1
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        if end - start == _U1:  # nothing to choose: no regret, probability one
            g[parent[i]] += g[start]
            continue
        value = 0.0
        for s in range(start, end):
            value += pol[s] * g[s]
        g[parent[i]] += value
        total = 0.0
        for s in range(start, end):
            r = g[s] - value
            r = 0.0 if abs(r) < zero else r
            r = boost * max(r, 0.0) + min(r, 0.0)
            old = R[s]
            new = max(floor, dpos * max(old, 0.0) + dneg * min(old, 0.0) + weight * r)
            R[s] = new
            S[s] = keep * S[s] + add * x[s]
            z = raised(max(0.0, cR * new + cr * r), exponent)
            pol[s] = z
            total += z
        g[start] = total


@kernel(forceinline=True)
def update_discounted(parent, first, nact, pol, x, R, S, g, extra, ilo, ihi, params, k):  # type: ignore[no-untyped-def]
    """One player's local rules of iteration k (0-based) for the discounting family."""
    t = k + 1.0
    share = min(t / params[BUDGET], 1.0)
    index = t - 1.0 + params[SHIFT]
    dpos = dneg = 1.0
    project = 1.0
    if params[ALPHA_ON] != 0.0:
        alpha = params[ALPHA] + params[ALPHA_SLOPE] * share
        dpos = discount(index, alpha, params[OFFSET])
        if params[PROJECT] != 0.0:
            project = discount(index + 1.0, alpha, params[OFFSET])
    if params[BETA_ON] != 0.0:
        dneg = discount(index, params[BETA] + params[BETA_SLOPE] * share, params[OFFSET])
    weight = t if params[LINEAR] != 0.0 else 1.0
    keep = decay(t, params[GAMMA] + params[GAMMA_SLOPE] * share)
    add = 1.0 if k >= params[WARM] else 0.0
    optimism = params[OPTIMISM]
    if params[OPTIMISM_DECAY] > 0.0:
        optimism /= 1.0 + k / params[OPTIMISM_DECAY]
    floor, zero, exponent = params[FLOOR], params[ZERO_TOL], params[EXPONENT]
    if exponent == 1.0 and params[BOOST] == 1.0:
        local_linear(
            parent,
            first,
            nact,
            pol,
            x,
            R,
            S,
            g,
            ilo,
            ihi,
            dpos,
            dneg,
            weight,
            floor,
            keep,
            add,
            project,
            optimism,
            zero,
        )
    else:
        local_powered(
            parent,
            first,
            nact,
            pol,
            x,
            R,
            S,
            g,
            ilo,
            ihi,
            dpos,
            dneg,
            weight,
            floor,
            keep,
            add,
            project,
            optimism,
            zero,
            exponent,
            params[BOOST],
        )
    normalise_and_reach(parent, first, nact, pol, x, g, ilo, ihi)


@kernel(forceinline=True)
def update_vad(parent, first, nact, pol, x, R, S, g, extra, ilo, ihi, params, k):  # type: ignore[no-untyped-def]
    """One player's local rules of iteration k (0-based) for VAD-CFR; extra [I or 1] is the moving average."""
    t = k + 1.0
    log_t = math.log(t)
    alpha0, beta0, sens, rmax = params[V_ALPHA], params[V_BETA], params[V_SENS], params[V_RMAX]
    boost, ewma, floor, exponent = params[V_BOOST], params[V_EWMA], params[V_FLOOR], params[V_EXPONENT]
    gamma, gamma_max, gamma_sens = params[V_GAMMA], params[V_GAMMA_MAX], params[V_GAMMA_SENS]
    stab, mag, zero = params[V_STAB], params[V_MAG], params[V_ZERO_TOL]
    adaptive, shared = params[V_ADAPTIVE] != 0.0, params[V_GLOBAL] != 0.0
    averaging = k >= params[V_WARM]
    optimism0 = params[V_OPT] / (1.0 + k / params[V_OPT_DECAY])
    # t^(a - s) = t^a / t^s: one exponential serves both discounts where neither bound can bind
    one_exp = alpha0 - sens >= 0.1 and beta0 <= alpha0 and sens >= 0.0
    top_alpha, top_beta = math.exp(alpha0 * log_t), math.exp(beta0 * log_t)
    plain_weight = math.exp(gamma * log_t)
    inverse_rmax = 1.0 / rmax
    first_iteration = k == 0
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= _U1
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        if end - start == _U1:  # nothing to choose: no regret, probability one
            g[parent[i]] += g[start]
            continue
        value = 0.0
        for s in range(start, end):
            value += pol[s] * g[s]
        g[parent[i]] += value
        m = 0.0
        for s in range(start, end):
            r = g[s] - value
            r = 0.0 if abs(r) < zero else r
            g[s] = r
            m = max(m, abs(r))
        slot = np.uint64(0) if shared else i
        e = m if first_iteration else ewma * m + (1.0 - ewma) * extra[slot]
        extra[slot] = e
        nu = min(1.0, e * inverse_rmax)
        if one_exp:
            scale = math.exp(sens * nu * log_t)
            dpos = top_alpha / (top_alpha + scale)
            dneg = top_beta / (top_beta + scale)
        else:
            al = max(0.1, alpha0 - sens * nu)
            be = min(al, beta0 - sens * nu)
            dpos = 1.0 / (1.0 + math.exp(-al * log_t))
            dneg = 1.0 / (1.0 + math.exp(-be * log_t))
        weight = 0.0
        if averaging and x[parent[i]] > 0.0:  # own reach zero adds nothing
            weight = plain_weight
            if adaptive:
                nu_i = min(1.0, m * inverse_rmax)
                grow = min(gamma_max, gamma + gamma_sens * nu_i)
                stability = 1.0 + raised(m, stab)
                ratio = 1.0 + m * inverse_rmax
                magnitude = math.sqrt(ratio) if mag == 0.5 else ratio**mag
                weight = math.exp(grow * log_t) * max(0.1, magnitude) / stability
        optimism = optimism0 * max(0.0, 1.0 - sens * nu)
        total = 0.0
        for s in range(start, end):
            r = g[s]
            r = boost * max(r, 0.0) + min(r, 0.0)
            old = R[s]
            new = max(floor, dpos * max(old, 0.0) + dneg * min(old, 0.0) + r)
            R[s] = new
            S[s] += weight * x[s]
            z = raised(max(0.0, dpos * max(new, 0.0) + dneg * min(new, 0.0) + optimism * r), exponent)
            pol[s] = z
            total += z
        g[start] = total
    normalise_and_reach(parent, first, nact, pol, x, g, ilo, ihi)


@kernel(forceinline=True)
def update_aod(parent, first, nact, pol, x, R, S, g, extra, ilo, ihi, params, k):  # type: ignore[no-untyped-def]
    """One player's local rules of iteration k (0-based) for AOD-CFR; extra [S] is the average of R."""
    t = k + 1.0
    u = min(1.0, k / params[A_RAMP])
    zero = params[A_ZERO_TOL]
    dpos, dneg = discount(t, 1.0 + 1.5 * u, 1.0), discount(t, 0.5 - 0.5 * u, 1.0)
    weight = t ** (1.0 + 4.0 * u)
    keep = weight / (weight + 1.0)
    i = np.uint64(ihi)
    while i > np.uint64(ilo):
        i -= _U1
        start = np.uint64(first[i])
        end = start + np.uint64(nact[i])
        if end - start == _U1:  # nothing to choose: no regret, probability one
            g[parent[i]] += g[start]
            continue
        value = 0.0
        for s in range(start, end):
            value += pol[s] * g[s]
        g[parent[i]] += value
        total = 0.0
        for s in range(start, end):
            r = g[s] - value
            r = 0.0 if abs(r) < zero else r
            old = R[s]
            if old > _AOD_EPS:
                r *= 1.1 if r > _AOD_EPS else (0.9 if r < -_AOD_EPS else 1.0)
            elif old < -_AOD_EPS:
                r *= 0.7 if r > _AOD_EPS else (1.2 if r < -_AOD_EPS else 1.0)
            new = (dpos if old > 0.0 else dneg) * old + r
            R[s] = new
            S[s] = keep * S[s] + weight * x[s]
            z = max(0.0, new + 0.5 * (new - extra[s]))
            extra[s] = 0.1 * new + 0.9 * extra[s]
            z *= z
            pol[s] = z
            total += z
        g[start] = total if total > _AOD_MIN_SUM else 0.0
    normalise_and_reach(parent, first, nact, pol, x, g, ilo, ihi)


@kernel
def run_discounted(  # type: ignore[no-untyped-def]
    seq_off, iset_off, parent, first, nact, rowptr, col, val, pol, x, R, S, g, extra, params, done, count, alternating
):
    """Do iterations done..done+count-1 of the discounting family in place."""
    n = seq_off.shape[0] - 1
    for k in range(done, done + count):
        for p in range(n):
            if alternating or p == 0:  # one call site: the function is inlined
                end = seq_off[p + 1] if alternating else seq_off[n]
                gradient_rows(rowptr, col, val, x, g, seq_off[p], end)
            update_discounted(parent, first, nact, pol, x, R, S, g, extra, iset_off[p], iset_off[p + 1], params, k)


@kernel
def run_vad(  # type: ignore[no-untyped-def]
    seq_off, iset_off, parent, first, nact, rowptr, col, val, pol, x, R, S, g, extra, params, done, count, alternating
):
    """Do iterations done..done+count-1 of VAD-CFR in place."""
    n = seq_off.shape[0] - 1
    for k in range(done, done + count):
        for p in range(n):
            if alternating or p == 0:  # one call site: the function is inlined
                end = seq_off[p + 1] if alternating else seq_off[n]
                gradient_rows(rowptr, col, val, x, g, seq_off[p], end)
            update_vad(parent, first, nact, pol, x, R, S, g, extra, iset_off[p], iset_off[p + 1], params, k)


@kernel
def run_aod(  # type: ignore[no-untyped-def]
    seq_off, iset_off, parent, first, nact, rowptr, col, val, pol, x, R, S, g, extra, params, done, count, alternating
):
    """Do iterations done..done+count-1 of AOD-CFR in place."""
    n = seq_off.shape[0] - 1
    for k in range(done, done + count):
        for p in range(n):
            if alternating or p == 0:  # one call site: the function is inlined
                end = seq_off[p + 1] if alternating else seq_off[n]
                gradient_rows(rowptr, col, val, x, g, seq_off[p], end)
            update_aod(parent, first, nact, pol, x, R, S, g, extra, iset_off[p], iset_off[p + 1], params, k)
