"""A small network for the differences D(t, b) = V(t, b+1) - V(t, b) of a value table.

Two hidden layers of 30 and 15 tanh units and a linear output.  Inputs are log(1 + t), log(1 + b) and
log(1 + b/t), standardised; the target is log(D / scale + 1e-9), standardised; loss: mean squared error;
Adam, batches of 50 random t times 200 random b.  States with t <= 50 or b <= 800 keep the exact
differences, and D is zero where the exact one is below 1e-12, as in the publication.

Source: Cai et al. (2017), WSDM, section 4.2; the inputs, the target and the step size are ours.
Cost: about 10 ms per gradient step.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import Final

import numpy as np

from equilibria.games.auctions.rtb.rules import ValueTable
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

HIDDEN: Final = (30, 15)
EXACT_REQUESTS: Final = 50
EXACT_BUDGET: Final = 800
ZERO: Final = 1e-12
_FLOOR: Final = 1e-9


class ValueNetwork:
    """Network for D; see the module.

    Args:
        rng: Source of the start weights and batches.
        scale: Unit of D, the mean click probability.
        rate: Step size of Adam.
    """

    def __init__(self, rng: np.random.Generator, *, scale: float, rate: float = 1e-3) -> None:
        sizes = (3, *HIDDEN, 1)
        pairs = list(pairwise(sizes))
        self._weights = [rng.normal(0.0, 1.0 / np.sqrt(a), (a, b)) for a, b in pairs]
        self._biases = [np.zeros(b) for b in sizes[1:]]
        self._moments = [[np.zeros_like(p), np.zeros_like(p)] for p in (*self._weights, *self._biases)]
        self._rng, self._scale, self._rate, self._steps = rng, scale, rate, 0
        self._shift, self._stretch = np.zeros(3), np.ones(3)
        self._target = (0.0, 1.0)

    def fit(self, table: ValueTable, steps: int) -> float:
        """Do gradient steps on the table; return the root mean squared error of D / scale on held-out points.

        Raises:
            InvalidValue: If the table has no state that is to be approximated.
        """
        t_range, b_range = (EXACT_REQUESTS + 1, table.requests + 1), (EXACT_BUDGET + 1, table.budget)
        if t_range[0] >= t_range[1] or b_range[0] >= b_range[1]:
            raise InvalidValue(
                f"a network is for tables beyond t = {EXACT_REQUESTS} and b = {EXACT_BUDGET}, "
                f"got T0 = {table.requests}, B0 = {table.budget}; use the table itself"
            )
        x, y = self._points(table, t_range, b_range)
        self._shift, self._stretch = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-9)
        self._target = (float(y.mean()), max(float(y.std()), 1e-9))
        for k in range(steps):
            x, y = self._points(table, t_range, b_range)
            rate = self._rate * 0.5 * (1.0 + np.cos(np.pi * k / steps))
            self._step((x - self._shift) / self._stretch, (y - self._target[0]) / self._target[1], rate)
        x, y = self._points(table, t_range, b_range)
        error = (self._exponential(self._forward((x - self._shift) / self._stretch)[-1]) - np.exp(y)) ** 2
        return float(np.sqrt(error.mean()))

    def differences(self, t: FloatArray, b: FloatArray) -> FloatArray:
        """Return D at states [n], clipped at 0 from below."""
        x = (features(t, b) - self._shift) / self._stretch
        return np.maximum(self._scale * (self._exponential(self._forward(x)[-1]) - _FLOOR), 0.0)

    def packed(self) -> FloatArray:
        """Return everything that ``differences`` needs as one vector, for compiled worlds."""
        layers = [p.reshape(-1) for pair in zip(self._weights, self._biases, strict=True) for p in pair]
        head = [self._shift, self._stretch, np.array([*self._target, self._scale])]
        # The target is stored as (mean, standard deviation).
        return np.concatenate([*head, *layers])

    def _exponential(self, output: FloatArray) -> FloatArray:
        y = np.minimum(output[:, 0] * self._target[1] + self._target[0], 50.0)
        return np.exp(y)

    def _points(
        self, table: ValueTable, t_range: tuple[int, int], b_range: tuple[int, int]
    ) -> tuple[FloatArray, FloatArray]:
        t = np.repeat(self._rng.integers(*t_range, 50), 200)
        b = self._rng.integers(*b_range, 10_000)
        d = column_values(table, t, b + 1) - column_values(table, t, b)
        kept = d > ZERO
        if not kept.any():
            kept[:] = True
        y = np.log(np.maximum(d[kept], 0.0) / self._scale + _FLOOR)
        return features(t[kept].astype(np.float64), b[kept].astype(np.float64)), y

    def _forward(self, x: FloatArray) -> list[FloatArray]:
        layers = [x]
        for k, (w, c) in enumerate(zip(self._weights, self._biases, strict=True)):
            z = layers[-1] @ w + c
            layers.append(np.tanh(z) if k < len(HIDDEN) else z)
        return layers

    def _step(self, x: FloatArray, y: FloatArray, rate: float) -> None:
        layers = self._forward(x)
        slope = 2.0 * (layers[-1] - y[:, None]) / y.size
        weights: list[FloatArray] = []
        biases: list[FloatArray] = []
        for k in range(len(self._weights) - 1, -1, -1):
            weights.insert(0, layers[k].T @ slope)
            biases.insert(0, slope.sum(axis=0))
            if k:
                slope = (slope @ self._weights[k].T) * (1.0 - layers[k] ** 2)
        self._adam([*weights, *biases], rate)

    def _adam(self, slopes: list[FloatArray], rate: float) -> None:
        self._steps += 1
        b1, b2 = 0.9, 0.999
        for p, g, m in zip((*self._weights, *self._biases), slopes, self._moments, strict=True):
            m[0] += (1.0 - b1) * (g - m[0])
            m[1] += (1.0 - b2) * (g * g - m[1])
            p -= rate * (m[0] / (1.0 - b1**self._steps)) / (np.sqrt(m[1] / (1.0 - b2**self._steps)) + 1e-8)


def features(t: FloatArray, b: FloatArray) -> FloatArray:
    """Return float64 [n, 3]: log(1 + t), log(1 + b), log(1 + b/t)."""
    return np.stack([np.log1p(t), np.log1p(b), np.log1p(b / t)], axis=1)


def column_values(table: ValueTable, t: IntArray, b: IntArray) -> FloatArray:
    """Return V at many states."""
    if table.fine > table.budget:
        whole: FloatArray = table.values[t, b]
        return whole
    k = np.maximum(b - table.fine, 0) // table.stride
    share = (np.maximum(b - table.fine, 0) - k * table.stride) / table.stride
    left = table.values[t, table.fine + k]
    right = table.values[t, np.minimum(table.fine + k + 1, table.values.shape[1] - 1)]
    above = left + share * (right - left)
    mixed: FloatArray = np.where(b < table.fine, table.values[t, np.minimum(b, table.fine - 1)], above)
    return mixed


def fitted(table: ValueTable, scale: float, *, steps: int, rng: np.random.Generator) -> tuple[ValueTable, ValueNetwork]:
    """Return the table that a network fitted to ``table`` gives, with exact values at small states, and the network.

    Between two nodes of a strided table D is taken as that of the middle.

    Args:
        table: The exact table.
        scale: Unit of D.
        steps: Gradient steps.
        rng: Source of randomness.

    Raises:
        InvalidValue: If the table is too small for a network.
    """
    network = ValueNetwork(rng, scale=scale)
    network.fit(table, steps)
    values = table.values.copy()
    columns = np.arange(EXACT_BUDGET, values.shape[1])
    places = np.where(columns < table.fine, columns, table.fine + (columns - table.fine) * table.stride)
    widths = np.diff(places)
    middles = places[:-1] + (widths - 1) / 2.0
    for t in range(EXACT_REQUESTS + 1, table.requests + 1):
        exact = np.diff(table.values[t, EXACT_BUDGET:])
        d = network.differences(np.full_like(middles, float(t)), middles) * widths
        small = np.flatnonzero(np.abs(exact) < ZERO * widths)
        if small.size:
            d[small[0] :] = 0.0
        values[t, EXACT_BUDGET + 1 :] = values[t, EXACT_BUDGET] + np.cumsum(d)
    return replace(table, values=values), network


def fitted_table(table: ValueTable, scale: float, *, steps: int, rng: np.random.Generator) -> ValueTable:
    """Return the table of ``fitted`` alone."""
    return fitted(table, scale, steps=steps, rng=rng)[0]
