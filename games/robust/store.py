"""A store that orders without knowing mean demand: a robust decision process.

Backlog inventory: stock s in -B..S (negative: customers waiting), order a in 0..A arrives at once and is cut at
S, then demand D ~ Poisson(m) leaves s' = max(min(s + a, S) - D, -B); customers beyond B go elsewhere.  A period
pays -(order a + holding s+ + waiting s-), so rewards do not depend on the mean m, only transitions do.

Source: the model is the textbook one (Arrow, Harris, Marschak 1951); parameters are ours.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.robust.robust import RobustMDP
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray


def inventory(
    *,
    means: tuple[float, ...],
    stock: int = 20,
    backlog: int = 10,
    orders: int = 12,
    order_cost: float = 0.1,
    holding_cost: float = 0.05,
    waiting_cost: float = 0.5,
    discount: float = 0.95,
) -> RobustMDP:
    """Return the store; state i is stock i - ``backlog``, the first state is stock 0, model 0 the first mean.

    Args:
        means: Mean demands, each > 0; the first one is the nominal model.
        stock: Room S >= 1.
        backlog: Customers B >= 0 that wait.
        orders: Largest order A >= 1.
        order_cost: Cost per unit ordered.
        holding_cost: Cost per unit in stock and period.
        waiting_cost: Cost per waiting customer and period.
        discount: gamma in [0, 1).

    Example:
        >>> inventory(means=(4.0, 6.0)).transitions.shape
        (2, 31, 13, 31)
    """
    if not means or any(not (math.isfinite(m) and m > 0) for m in means):
        raise InvalidValue(f"means must be positive numbers, at least one, got {means}")
    if stock < 1 or backlog < 0 or orders < 1:
        raise InvalidValue(f"need stock >= 1, backlog >= 0 and orders >= 1, got {stock}, {backlog}, {orders}")
    levels = np.arange(-backlog, stock + 1)
    ordered = np.arange(orders + 1)
    rewards = -(
        order_cost * ordered[None, :]
        + holding_cost * np.maximum(levels, 0)[:, None]
        + waiting_cost * np.maximum(-levels, 0)[:, None]
    )
    after = np.minimum(levels[:, None] + ordered[None, :], stock) + backlog  # index before demand
    kernels = np.zeros((len(means), len(levels), len(ordered), len(levels)))
    for k, mean in enumerate(means):
        chances = _poisson(mean, len(levels))
        for top in range(len(levels)):
            row = np.zeros(len(levels))
            row[1 : top + 1] = chances[:top][::-1]
            row[0] = max(1.0 - row.sum(), 0.0)
            kernels[k][after == top] = row
    labels = tuple(f"mean demand {m:g}" for m in means)
    return RobustMDP(kernels, rewards, discount, backlog, labels=labels)


def demand_grid(lowest: float, highest: float, models: int) -> tuple[float, ...]:
    """Return evenly spaced mean demands with their middle one, the nominal model, first."""
    if models < 1 or not 0 < lowest <= highest:
        raise InvalidValue(f"need models >= 1 and 0 < lowest <= highest, got {models}, {lowest!r}, {highest!r}")
    grid = [float(m) for m in np.linspace(lowest, highest, models)]
    middle = grid.pop(models // 2)
    return (middle, *grid)


def _poisson(mean: float, count: int) -> FloatArray:
    """Return the chances of 0..count - 1."""
    number = np.arange(count)
    logs = number * math.log(mean) - mean - np.array([math.lgamma(n + 1) for n in number])
    return np.asarray(np.exp(logs))
