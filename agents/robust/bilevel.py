"""How a designer's payoff changes with its parameters when agents respond softly: exact, one factorisation.

Soft response at temperature tau: V = tau ln sum_a exp(Q / tau), pi = exp((Q - V) / tau), Q = r + gamma P V.
Derivatives: dV = (I - gamma P_pi)^-1 sum_a pi dQ0 with dQ0 = dr + gamma dP V, dQ = dQ0 + gamma P dV,
d log pi = (dQ - dV) / tau.  Designer: dG = sum_s D sum_a pi [d log pi Q_u + du + gamma dP V_u] with the
discounted visits D = (I - gamma P_pi)^-T mu and Q_u = u + gamma P V_u.

Source: Chakraborty et al. (2024), PARL, arXiv 2308.02585 (the response must be differentiated, too);
Thoma et al. (2024), arXiv 2406.01575 (entropy-regularised followers).

Axes: K parameters, S states, A actions.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from scipy.linalg import lu_factor, lu_solve
from scipy.special import logsumexp

from equilibria.games.robust.design import Design
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray

_RESIDUAL = 1e-8
_SWEEPS = 1000


@dataclass(frozen=True, slots=True)
class Response:
    """The agents' soft response to a design.

    Attributes:
        policy: [S, A].
        values: [S] soft values.
        residual: Largest Bellman residual.
        converged: Whether the residual is at most 1e-8 (relative to the values).
    """

    policy: FloatArray
    values: FloatArray
    residual: float
    converged: bool


@dataclass(frozen=True, slots=True)
class HyperGradient:
    """The designer's payoff and its derivative.

    Attributes:
        payoff: G.
        gradient: [K] with the agents' response.
        naive: [K] with the response held fixed (what goes wrong without it).
        response: The agents' response.
    """

    payoff: float
    gradient: FloatArray
    naive: FloatArray
    response: Response


def soft_response(design: Design, temperature: float, *, sweeps: int = _SWEEPS) -> Response:
    """Solve the agents' problem by soft policy iteration (quadratic convergence near the end).

    Raises:
        InvalidValue: If the temperature is not positive.
    """
    if not (np.isfinite(temperature) and temperature > 0):
        raise InvalidValue(f"temperature must be finite and > 0, got {temperature!r}")
    p, r, gamma = design.transitions, design.rewards, design.discount
    values = np.zeros(len(r))
    residual = np.inf
    for _ in range(sweeps):
        q = r + gamma * (p @ values)
        target = temperature * logsumexp(q / temperature, axis=1)
        policy = np.exp((q - target[:, None]) / temperature)
        residual = float(np.abs(target - values).max())
        if residual <= 1e-13 * max(1.0, float(np.abs(target).max())):
            values = target
            break
        entropy = temperature * np.sum(policy * (target[:, None] - q) / temperature, axis=1)
        flow = np.einsum("sa,sat->st", policy, p)
        values = np.linalg.solve(np.eye(len(r)) - gamma * flow, np.sum(policy * r, axis=1) + entropy)
    good = residual <= _RESIDUAL * max(1.0, float(np.abs(values).max()))
    if not good:
        warnings.warn(f"the agents' problem did not converge: Bellman residual {residual:.3g}", stacklevel=2)
    return Response(policy, values, residual, good)


def hypergradient(design: Design, temperature: float) -> HyperGradient:
    """Return the designer's payoff with its exact derivative.

    Args:
        design: The agents' world with its derivatives.
        temperature: tau > 0 of the agents' response.

    Example:
        >>> import numpy as np
        >>> from equilibria.games.robust import Design
        >>> one = Design(transitions=np.zeros((1, 3, 1)), rewards=np.zeros((1, 3)), rewards_by=np.eye(3)[:, None],
        ...              utility=np.array([[1.0, 0.0, -1.0]]), utility_by=np.zeros((3, 1, 3)), start=np.ones(1))
        >>> hypergradient(one, 0.5).gradient.round(6).tolist()
        [0.666667, 0.0, -0.666667]
    """
    response = soft_response(design, temperature)
    p, gamma, pi = design.transitions, design.discount, response.policy
    system = lu_factor(np.eye(len(pi)) - gamma * np.einsum("sa,sat->st", pi, p))
    utility = lu_solve(system, np.sum(pi * design.utility, axis=1))
    visits = lu_solve(system, design.start, trans=1)
    q_utility = design.utility + gamma * (p @ utility)
    first, own = design.rewards_by, design.utility_by
    if design.transitions_by is not None:
        first = first + gamma * (design.transitions_by @ response.values)
        own = own + gamma * (design.transitions_by @ utility)
    values_by = lu_solve(system, np.einsum("sa,ksa->sk", pi, first)).T
    q_by = first + gamma * np.einsum("sat,kt->ksa", p, values_by)
    log_by = (q_by - values_by[:, :, None]) / temperature
    weight = visits[:, None] * pi
    naive = np.einsum("sa,ksa->k", weight, own)
    gradient = naive + np.einsum("sa,ksa->k", weight * q_utility, log_by)
    return HyperGradient(float(design.start @ utility), gradient, naive, response)
