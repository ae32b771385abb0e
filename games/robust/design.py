"""Design problems: somebody sets parameters, agents respond softly, the designer has a payoff of its own.

Axes: K parameters, S states, A actions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Design:
    """The agents' world under one setting of the parameters, with derivatives.

    Attributes:
        transitions: [S, A, S]; rows may sum to less than 1, the rest is the end.
        rewards: [S, A] of the agents.
        rewards_by: [K, S, A] derivatives of ``rewards``.
        utility: [S, A] of the designer.
        utility_by: [K, S, A] derivatives of ``utility``.
        start: [S] probabilities of the first state.
        discount: gamma in [0, 1).
        transitions_by: [K, S, A, S] derivatives of ``transitions``; ``None`` when they are fixed.
    """

    transitions: FloatArray
    rewards: FloatArray
    rewards_by: FloatArray
    utility: FloatArray
    utility_by: FloatArray
    start: FloatArray
    discount: float = 0.0
    transitions_by: FloatArray | None = None

    def __post_init__(self) -> None:
        shape = self.rewards.shape
        if self.transitions.shape != (*shape, shape[0]) or self.utility.shape != shape:
            raise InvalidValue(f"a design needs transitions [S, A, S] and utility [S, A] for rewards {shape}")
        if self.rewards_by.shape[1:] != shape or self.utility_by.shape != self.rewards_by.shape:
            raise InvalidValue(f"derivatives must be [K, S, A] for rewards {shape}, got {self.rewards_by.shape}")
        if self.start.shape != shape[:1]:
            raise InvalidValue(f"start must be [S] = ({shape[0]},), got {self.start.shape}")
        if not 0 <= self.discount < 1:
            raise InvalidValue(f"discount must lie in [0, 1), got {self.discount!r}")


class DesignProblem(Protocol):
    """What a designer may set, and what follows.

    Attributes:
        name: Name for messages.
        labels: [K] names of the parameters.
        low: [K] lower bounds.
        high: [K] upper bounds.
        first: [K] where the search begins.
        optimum: [K] best parameters where they are known in closed form, as the temperature goes to 0.
        best: The designer's payoff there; not a number when unknown.
    """

    name: str
    labels: tuple[str, ...]
    low: FloatArray
    high: FloatArray
    first: FloatArray
    optimum: FloatArray | None
    best: float

    def design(self, parameters: FloatArray) -> Design:
        """Return the agents' world under parameters [K]."""
        ...


class LafferCurve:
    """A worker chooses effort e in 0, 0.01, ..., 1 for (1 - t) e - e^2 / 2; the designer earns t e.

    Effort is 1 - t, so revenue t (1 - t) is largest at t = 1/2, where it is 1/4.

    Args:
        first: Tax rate where the search begins, in [0, 1].
        levels: Number of efforts, >= 2.
    """

    name = "laffer_curve"
    labels = ("tax_rate",)

    def __init__(self, *, first: float = 0.1, levels: int = 101) -> None:
        if levels < 2 or not 0 <= first <= 1:
            raise InvalidValue(f"need levels >= 2 and first in [0, 1], got {levels!r} and {first!r}")
        self.low, self.high, self.first = np.zeros(1), np.ones(1), np.array([first])
        self.optimum, self.best = np.array([0.5]), 0.25
        self._effort = np.linspace(0.0, 1.0, levels)[None, :]

    def design(self, parameters: FloatArray) -> Design:
        """Return the one-state world under the tax rate [1]."""
        e, t = self._effort, float(parameters[0])
        return Design(
            transitions=np.zeros((1, e.size, 1)),
            rewards=(1 - t) * e - e * e / 2,
            rewards_by=-e[None],
            utility=t * e,
            utility_by=e[None],
            start=np.ones(1),
        )


class PostedPrice:
    """One buyer with a value on a grid of [0, 1] buys or leaves; the seller earns the price.

    The best price is 1/2 and earns 1/4.

    Args:
        first: Price where the search begins, in [0, 1].
        values: Number of equally likely values, >= 2.
    """

    name = "posted_price"
    labels = ("price",)

    def __init__(self, *, first: float = 0.1, values: int = 101) -> None:
        if values < 2 or not 0 <= first <= 1:
            raise InvalidValue(f"need values >= 2 and first in [0, 1], got {values!r} and {first!r}")
        self.low, self.high, self.first = np.zeros(1), np.ones(1), np.array([first])
        self.optimum, self.best = np.array([0.5]), 0.25
        self._values = np.linspace(0.0, 1.0, values)

    def design(self, parameters: FloatArray) -> Design:
        """Return one state per value; actions: leave, buy."""
        price, v = float(parameters[0]), self._values
        buys = np.zeros((v.size, 2))
        buys[:, 1] = 1.0
        return Design(
            transitions=np.zeros((v.size, 2, v.size)),
            rewards=buys * (v - price)[:, None],
            rewards_by=-buys[None],
            utility=buys * price,
            utility_by=buys[None].copy(),
            start=np.full(v.size, 1 / v.size),
        )
