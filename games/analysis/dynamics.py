"""Evolutionary dynamics of matrix games: replicator equations and Boltzmann Q-learning.

* one population: x_i' = x_i ((A x)_i - x.A x)                      (Taylor and Jonker 1978, eq. 2)
* n populations:  x_pi' = x_pi (u_pi(x_-p) - sum_j x_pj u_pj(x_-p))
* Q-learning:     the same minus T x_pi (log x_pi - sum_j x_pj log x_pj), temperature T (Tuyls et al. 2003);
  its rest points are logit equilibria x_pi proportional to exp(u_pi / T).

Integrated on the simplex by an explicit Runge-Kutta method of order 8 (DOP853).  Faces of the simplex
are invariant: strategies that start at 0 stay at 0 and are left out of the integration.
Cost: per evaluation one pass over the payoff tensors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.integrate import solve_ivp

from equilibria.games.analysis.checks import distribution, payoff_tensors, square_matrix
from equilibria.sim.errors import InvalidValue, NotConverged, NumericalError
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True)
class Trajectory:
    """A path of mixed strategies.

    Attributes:
        times: [T] sample times.
        strategies: One [T, k_p] array per population; every row is a distribution.
    """

    times: FloatArray
    strategies: tuple[FloatArray, ...]

    @property
    def x(self) -> FloatArray:
        """Path [T, k] of the first population."""
        return self.strategies[0]


def replicator(payoffs: ArrayLike, x0: ArrayLike, *, times: ArrayLike, rtol: float = 1e-9) -> Trajectory:
    """Integrate the one-population replicator equation.

    Args:
        payoffs: [k, k] payoff of the row strategy against the column strategy.
        x0: [k] start on the simplex.
        times: [T] increasing sample times; the first one is the time of ``x0``.
        rtol: Relative tolerance of the integrator, in [1e-13, 1e-2].

    Raises:
        InvalidValue: If ``x0`` is no distribution or the times do not increase.
        NotConverged: If the integrator cannot hold the tolerance.

    Example:
        >>> t = replicator([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], [0.5, 0.3, 0.2], times=[0.0, 10.0])
        >>> round(float(t.x[-1].prod()), 6)  # the product is conserved in rock-paper-scissors
        0.03
    """
    a = square_matrix(payoffs)
    start = distribution(x0, len(a), "x0")
    return _integrate(lambda x: [a @ x[0]], [start], times, temperature=0.0, rtol=rtol)


def multi_replicator(
    payoffs: Sequence[ArrayLike], x0: Sequence[ArrayLike], *, times: ArrayLike, rtol: float = 1e-9
) -> Trajectory:
    """Integrate the replicator equations of n populations.

    Args:
        payoffs: One tensor [k_1, ..., k_n] per player.
        x0: One start [k_p] per player.
        times: As in ``replicator``.
        rtol: As in ``replicator``.
    """
    return q_learning(payoffs, x0, times=times, temperature=0.0, rtol=rtol)


def q_learning(
    payoffs: Sequence[ArrayLike],
    x0: Sequence[ArrayLike],
    *,
    times: ArrayLike,
    temperature: float,
    rtol: float = 1e-9,
) -> Trajectory:
    """Integrate the dynamics of Boltzmann Q-learners.

    Args:
        payoffs: One tensor [k_1, ..., k_n] per player.
        x0: One start [k_p] per player.
        times: As in ``replicator``.
        temperature: Exploration T >= 0 in payoff units; 0 gives the replicator equations.
        rtol: As in ``replicator``.
    """
    u = payoff_tensors(payoffs)
    if len(x0) != len(u):
        raise InvalidValue(f"x0 needs one strategy per player: got {len(x0)} for {len(u)} players")
    if not 0 <= temperature < np.inf:
        raise InvalidValue(f"temperature must be finite and >= 0, got {temperature!r}")
    start = [distribution(x, k, f"x0[{p}]") for p, (x, k) in enumerate(zip(x0, u.shape[1:], strict=True))]
    return _integrate(lambda x: action_values(u, x), start, times, temperature=temperature, rtol=rtol)


def action_values(payoffs: FloatArray, strategies: Sequence[FloatArray]) -> list[FloatArray]:
    """Return the expected payoff [k_p] of each action of each player against the others' strategies.

    Args:
        payoffs: [n, k_1, ..., k_n].
        strategies: One [k_p] per player.
    """
    players = len(payoffs)
    values = []
    for p in range(players):
        rest = payoffs[p]
        # the last axis first, so that the places of the earlier ones stay put
        for q in range(players - 1, -1, -1):
            if q != p:
                rest = np.tensordot(rest, strategies[q], axes=(q, 0))
        values.append(rest)
    return values


def _integrate(
    values: Callable[[Sequence[FloatArray]], Sequence[FloatArray]],
    start: list[FloatArray],
    times: ArrayLike,
    *,
    temperature: float,
    rtol: float,
) -> Trajectory:
    t = np.array(times, dtype=np.float64)
    if t.ndim != 1 or len(t) < 1 or not np.isfinite(t).all() or (np.diff(t) <= 0).any():
        raise InvalidValue(f"times must be finite and strictly increasing, got {t.tolist()!r:.80}")
    if not 1e-13 <= rtol <= 1e-2:
        raise InvalidValue(f"rtol must lie in [1e-13, 1e-2], got {rtol!r}")
    cuts = np.cumsum([len(x) for x in start])[:-1]
    alive = np.concatenate(start) > 0

    def field(_: float, flat: FloatArray) -> FloatArray:
        # the integrator's trial points may leave the simplex by its tolerance
        x = np.split(np.where(alive, np.maximum(flat, 1e-300), 0.0), cuts)
        change = []
        for own, value in zip(x, values(x), strict=True):
            drive = value - temperature * np.log(np.where(own > 0, own, 1.0))
            change.append(own * (drive - own @ drive))
        return np.concatenate(change)

    if len(t) == 1:
        return Trajectory(t, tuple(x[None] for x in start))
    found = solve_ivp(field, (t[0], t[-1]), np.concatenate(start), method="DOP853", t_eval=t, rtol=rtol, atol=1e-14)
    if not found.success:
        raise NotConverged(f"the integrator stopped at time {found.t[-1]:g} of {t[-1]:g}: {found.message}")
    if not np.isfinite(found.y).all():
        raise NumericalError("strategy", float("nan"), where="dynamics; scale the payoffs down")
    paths = [np.maximum(block, 0.0) for block in np.split(found.y.T, cuts, axis=1)]
    return Trajectory(t, tuple(block / block.sum(axis=1, keepdims=True) for block in paths))
