"""The body: an echo state network with a habit, made from a seed.

1. Draw W ~ N(0, 1/d) scaled to the spectral radius, Win ~ N(0, 0.5^2), b ~ N(0, 0.3^2).
2. Train the readout once, before habituation: drive from x = 0 with [1, 1] and with [0, 0], 500 steps of
   burn-in and 2000 recorded each; ridge regression in logit space to logit 0.95 and logit 0.05, no
   penalty on the offset.
3. Habituate: per epoch drive with [1, 1], then W_ij += rate (<x_i x_j> - W_ij <x_i^2>) (Oja's rule); W is
   rescaled when its radius leaves [0.05, 0.99].
4. Measure the baselines: means over 200 steps of a copy that starts at x = 0 under [1, 1].

Source: Nakamura (2026), arXiv 2602.20846.  Cost: habituation epochs x steps x d^2 multiply-adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from equilibria.agents.reservoir import kernels
from equilibria.agents.reservoir.settings import BodySettings
from equilibria.sim.errors import NotConverged
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

_LOW, _HIGH = 0.05, 0.99
_BURN_IN, _RECORDED, _BASELINE, _WARM_UP = 500, 2000, 200, 500
_TARGET = float(np.log(0.95 / 0.05))


@dataclass(frozen=True, slots=True)
class Body:
    """A trained, habituated reservoir of d units.

    Attributes:
        recurrent: [d, d] W.
        input: [d, 2] weights of (own, other) action.
        offset: [d] b.
        readout: [d] weights of the habit.
        readout_offset: Offset of the habit.
        state: [d] after the warm-up under mutual cooperation.
        state_baseline: [d] mean state under mutual cooperation.
        habit_baseline: Mean habit under mutual cooperation.
        noise: Deviation of the state noise.
        reference: [200, d] states behind the baselines, for the complexity cost.
    """

    recurrent: FloatArray
    input: FloatArray
    offset: FloatArray
    readout: FloatArray
    readout_offset: float
    state: FloatArray
    state_baseline: FloatArray
    habit_baseline: float
    noise: float
    reference: FloatArray

    def habit(self, states: FloatArray) -> FloatArray:
        """Return the habit's action in [0, 1] for states [..., d]."""
        return np.asarray(expit(states @ self.readout + self.readout_offset))


def make_body(settings: BodySettings, seeds: SeedTree) -> Body:
    """Return the body of one agent; nothing but ``settings`` and ``seeds`` enters."""
    d = settings.dimension
    rng = seeds.child("weights").generator()
    w = rng.standard_normal((d, d)) / np.sqrt(d)
    w *= settings.radius / spectral_radius(w, settings.radius_method)
    w_in, b = 0.5 * rng.standard_normal((d, 2)), 0.3 * rng.standard_normal(d)
    readout, readout_offset = _train_readout(w, w_in, b, settings, seeds)
    w = _habituate(w, w_in, b, settings, seeds)
    key = seeds.child("baseline").key()
    reference = kernels.drive(np.zeros(d), w, w_in, b, 1.0, settings.state_noise, key, 0, _BASELINE)
    state = np.zeros(d)
    kernels.drive(state, w, w_in, b, 1.0, settings.state_noise, seeds.child("warm-up").key(), 0, _WARM_UP)
    habits = expit(reference @ readout + readout_offset)
    return Body(
        w, w_in, b, readout, readout_offset, state, reference.mean(axis=0), float(habits.mean()),
        settings.state_noise, reference,
    )  # fmt: skip


def spectral_radius(w: FloatArray, method: str = "eigenvalue") -> float:
    """Return the spectral radius of ``w`` [d, d].

    Args:
        w: Square matrix.
        method: ``"eigenvalue"`` (largest modulus) or ``"power"`` (norm of the last of 300 normalised products,
            which is not the radius when the leading eigenvalues are complex).
    """
    if method == "eigenvalue":
        return float(np.abs(np.linalg.eigvals(w)).max())
    v, norm = np.full(len(w), 1.0 / np.sqrt(len(w))), 0.0
    for _ in range(300):
        v = w @ v
        norm = float(np.linalg.norm(v))
        if norm == 0.0:
            return 0.0
        v /= norm
    return norm


def _train_readout(
    w: FloatArray, w_in: FloatArray, b: FloatArray, settings: BodySettings, seeds: SeedTree
) -> tuple[FloatArray, float]:
    d, blocks = settings.dimension, []
    for level in (1.0, 0.0):
        key = seeds.child("readout", int(level)).key()
        states = kernels.drive(np.zeros(d), w, w_in, b, level, settings.state_noise, key, 0, _BURN_IN + _RECORDED)
        blocks.append(states[_BURN_IN:])
    x = np.concatenate(blocks)
    y = np.repeat([_TARGET, -_TARGET], _RECORDED)
    # centring removes the unpenalised offset from the regression
    centre = x.mean(axis=0)
    gram = (x - centre).T @ (x - centre) + settings.ridge * np.eye(d)
    weights = np.linalg.solve(gram, (x - centre).T @ (y - y.mean()))
    return weights, float(y.mean() - centre @ weights)


def _habituate(w: FloatArray, w_in: FloatArray, b: FloatArray, settings: BodySettings, seeds: SeedTree) -> FloatArray:
    x, key = np.zeros(settings.dimension), seeds.child("habituation").key()
    for epoch in range(settings.habituation):
        states = kernels.drive(x, w, w_in, b, 1.0, settings.state_noise, key, epoch * settings.epoch, settings.epoch)
        second = states.T @ states / len(states)
        w = w + settings.learning * (second - w * np.diagonal(second)[:, None])
        radius = spectral_radius(w, settings.radius_method)
        if radius > 0 and not _LOW <= radius <= _HIGH:
            w = w * (min(max(radius, _LOW), _HIGH) / radius)
    return w


def self_consistent_state(body: Body, *, other: float = 1.0, limit: int = 100_000) -> tuple[FloatArray, float]:
    """Return the noise-free fixed point x* [d] at receptivity 1 and its stability radius.

    The body's own action feeds back, so x* = tanh(W x* + Win [habit(x*), other] + b); it is locally stable if
    and only if the spectral radius of diag(1 - z^2)(W + Win[:, 0] habit'(x*) readout^T), z = x*, is below 1.

    Raises:
        NotConverged: If the iteration does not settle within ``limit`` steps.
    """
    x = body.state_baseline.copy()
    for _ in range(limit):
        a = float(body.habit(x))
        new = np.tanh(body.recurrent @ x + body.input @ np.array([a, other]) + body.offset)
        if np.abs(new - x).max() < 1e-13:
            slope = a * (1 - a)
            jacobian = (1 - new**2)[:, None] * (body.recurrent + slope * np.outer(body.input[:, 0], body.readout))
            return new, spectral_radius(jacobian)
        x = new
    raise NotConverged(f"the body has no stable self-consistent state (not settled after {limit} steps)")
