"""A small multilayer perceptron on numpy arrays, with its gradient and Adam.

Kept here because contextual preference policies need a few thousand steps of a 5000-weight network, and
the base installation has no torch.  Axes: B batch, D inputs, H hidden units, A outputs.
"""

from __future__ import annotations

import itertools

import numpy as np

from equilibria.sim.types import FloatArray


class Perceptron:
    """Two hidden layers with tanh and a linear output.

    Args:
        sizes: (D, H, H, A).
        rng: Source of the initial weights (normal with variance 1 / inputs; the last layer is 100 times smaller,
            so that the initial policy is close to uniform).
        rate: Adam's learning rate.
    """

    def __init__(self, sizes: tuple[int, int, int, int], rng: np.random.Generator, rate: float = 1e-3) -> None:
        pairs = list(itertools.pairwise(sizes))
        self.weights = [rng.standard_normal(p) / np.sqrt(p[0]) for p in pairs]
        self.weights[-1] /= 100
        self.biases = [np.zeros(p[1]) for p in pairs]
        self._rate, self._steps = rate, 0
        self._first = [np.zeros_like(x) for x in self._parameters()]
        self._second = [np.zeros_like(x) for x in self._parameters()]

    def _parameters(self) -> list[FloatArray]:
        return [*self.weights, *self.biases]

    def __call__(self, x: FloatArray) -> FloatArray:
        """Return outputs [B, A] for inputs [B, D]."""
        return self._layers(x)[-1]

    def _layers(self, x: FloatArray) -> list[FloatArray]:
        out = [x]
        for i, (w, b) in enumerate(zip(self.weights, self.biases, strict=True)):
            z = out[-1] @ w + b
            out.append(z if i == len(self.weights) - 1 else np.tanh(z))
        return out

    def descend_(self, x: FloatArray, gradient: FloatArray) -> None:
        """Do one Adam step in place for the loss gradient [B, A] with respect to the outputs at ``x`` [B, D]."""
        layers = self._layers(x)
        weights: list[FloatArray] = []
        biases: list[FloatArray] = []
        back = gradient
        for i in range(len(self.weights) - 1, -1, -1):
            weights.insert(0, layers[i].T @ back)
            biases.insert(0, back.sum(axis=0))
            if i:
                back = (back @ self.weights[i].T) * (1 - layers[i] ** 2)
        self._adam_([*weights, *biases])

    def _adam_(self, gradients: list[FloatArray]) -> None:
        """Kingma and Ba (2015) with decay 0.9 and 0.999."""
        self._steps += 1
        for p, g, m, v in zip(self._parameters(), gradients, self._first, self._second, strict=True):
            m *= 0.9
            m += 0.1 * g
            v *= 0.999
            v += 0.001 * g * g
            scale = np.sqrt(v / (1 - 0.999**self._steps)) + 1e-8
            p -= self._rate * (m / (1 - 0.9**self._steps)) / scale
