"""Contextual preference games and policies trained on sampled comparisons.

A context x in R^D is drawn; items are compared with P(y beats y' | x) = sigmoid(3 (f_y(x) - f_y'(x)) + 3 cyc(y, y'))
where f is linear and cyc is +1 for the next n//2 - 1 items around a circle, -1 for the previous ones.  No
rating explains the cycle, so a reward model (Bradley-Terry) loses to methods that play the game.

Methods see contexts, their own samples and the outcomes of comparisons only:

* ``inpo``: squared distance of h(y_w, y_l) from 1 / (2 eta) over all pairs of a context's samples;
* ``sppo``: squared distance of log pi / pi_t from eta (share of won comparisons - 1/2); the average policy counts;
* ``spo``: policy gradient of the share of won comparisons;
* ``bradley_terry``: a reward network fitted to comparisons of uniformly drawn pairs, softmax of the reward.

The setting is ours: sources for the losses as in ``updates``.  Cost: about 3 ms per outer step.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.special import expit, log_softmax, softmax

from equilibria.agents.solvers.preference.network import Perceptron
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

Method = Literal["inpo", "sppo", "spo", "bradley_terry"]


@dataclass(frozen=True, slots=True)
class ContextualGame:
    """Preferences between n items that depend on a context.

    Attributes:
        weights: [D, n] of the linear scores f.
        cycle: [n, n] antisymmetric cyclic part.
        strength: Factor of both parts, > 0.
    """

    weights: FloatArray
    cycle: FloatArray
    strength: float = 3.0

    @classmethod
    def random(cls, seeds: SeedTree, *, dimension: int = 8, items: int = 10, spread: float = 1.0) -> ContextualGame:
        """Draw scores f_y(x) = w_y . x with w ~ N(0, spread^2) and build the cycle.

        The spread decides how much of a preference a rating explains: at 1 the scores (deviation sqrt(D)) outweigh the
        cycle (1) in most contexts, at 1 / sqrt(D) both are alike.
        """
        if dimension < 1 or items < 3:
            raise InvalidValue(f"need dimension >= 1 and items >= 3, got {dimension!r} and {items!r}")
        if not (np.isfinite(spread) and spread >= 0):
            raise InvalidValue(f"spread must be finite and >= 0, got {spread!r}")
        ahead = (np.arange(items)[None, :] - np.arange(items)[:, None]) % items
        near = (items - 1) // 2
        cycle = np.where((ahead >= 1) & (ahead <= near), 1.0, 0.0) - np.where(ahead >= items - near, 1.0, 0.0)
        weights = spread * seeds.child("scores").generator().standard_normal((dimension, items))
        return cls(weights, cycle)

    def preference(self, contexts: FloatArray) -> FloatArray:
        """Return P [B, n, n] for contexts [B, D]."""
        f = contexts @ self.weights
        return np.asarray(expit(self.strength * (f[:, :, None] - f[:, None, :] + self.cycle)))

    def gaps(self, contexts: FloatArray, policy: FloatArray) -> FloatArray:
        """Return duality gaps [B] of policies [B, n]."""
        beats = np.einsum("byz,bz->by", self.preference(contexts), policy)
        return np.asarray(2 * np.maximum(0.0, beats.max(axis=1) - 0.5))


@dataclass(frozen=True, slots=True, kw_only=True)
class Training:
    """Sizes of a training run.

    Attributes:
        steps: Outer steps.
        contexts: Contexts per outer step.
        samples: Responses per context, >= 2.
        inner: Gradient steps per outer step.
        eta: Inverse step of ``inpo``, step of ``sppo``.
        tau: Regularisation of ``inpo`` towards uniform, <= eta.
    """

    steps: int = 400
    contexts: int = 256
    samples: int = 8
    inner: int = 5
    eta: float = 1.0
    tau: float = 0.02

    def __post_init__(self) -> None:
        if min(self.steps, self.contexts, self.inner) < 1 or self.samples < 2:
            raise InvalidValue("steps, contexts and inner must be at least 1 and samples at least 2")
        if not 0 < self.tau <= self.eta:
            raise InvalidValue(f"need 0 < tau <= eta, got tau {self.tau!r} and eta {self.eta!r}")


def train(
    game: ContextualGame, method: Method, held_out: FloatArray, training: Training, seeds: SeedTree
) -> FloatArray:
    """Train a policy and return its probabilities [B, n] on held-out contexts [B, D].

    Args:
        game: The game; the learner only sees outcomes of comparisons.
        method: One of ``inpo``, ``sppo``, ``spo``, ``bradley_terry``.
        held_out: [B, D] contexts for the result; for ``sppo`` the average policy with weights 1, 2, 3, ... counts.
        training: Sizes.
        seeds: Seed tree.
    """
    if method not in ("inpo", "sppo", "spo", "bradley_terry"):
        raise InvalidValue(f"method must be inpo, sppo, spo or bradley_terry, got {method!r}")
    dimension, items = game.weights.shape
    network = Perceptron((dimension, 64, 64, items), seeds.child("network").generator())
    rng = seeds.child("training").generator()
    total = np.zeros((len(held_out), items))
    for t in range(1, training.steps + 1):
        x = rng.standard_normal((training.contexts, dimension))
        old = log_softmax(network(x), axis=1)
        drawn_from = np.full_like(old, 1.0 / items) if method == "bradley_terry" else np.exp(old)
        y = _draw(drawn_from, training.samples, rng)
        won = _compare(game.preference(x), y, rng)
        for _ in range(training.inner):
            network.descend_(x, _gradient(method, network(x), old, y, won, training))
            if method == "spo":
                break  # the policy gradient is unbiased for one step only
        # later policies count more: the first ones are close to uniform
        total += t * softmax(network(held_out), axis=1)
    return (
        total / total.sum(axis=1, keepdims=True) if method == "sppo" else np.asarray(softmax(network(held_out), axis=1))
    )


def _draw(probabilities: FloatArray, samples: int, rng: np.random.Generator) -> IntArray:
    """Return [B, samples] items."""
    u = rng.random((len(probabilities), samples, 1))
    index = (u > probabilities.cumsum(axis=1)[:, None, :]).sum(axis=2)
    return np.asarray(np.minimum(index, probabilities.shape[1] - 1))


def _compare(preference: FloatArray, y: IntArray, rng: np.random.Generator) -> FloatArray:
    """Return [B, k, k]: 1 where sample i won against j, 0 where it lost, one draw per unordered pair; 1/2 diagonal."""
    b = np.arange(len(y))[:, None, None]
    chance = preference[b, y[:, :, None], y[:, None, :]]
    upper = np.triu(rng.random(chance.shape) < chance, 1).astype(np.float64)
    k = y.shape[1]
    lower = np.tril(np.ones((k, k)), -1) * (1 - np.swapaxes(upper, 1, 2))
    return np.asarray(upper + lower + np.eye(k) / 2)


def _gradient(
    method: Method, logits: FloatArray, old: FloatArray, y: IntArray, won: FloatArray, training: Training
) -> FloatArray:
    """Return the loss gradient [B, n] with respect to the logits, averaged over contexts and samples."""
    batch, k = y.shape
    rows = np.arange(batch)[:, None]
    out = np.zeros_like(logits)
    if method in ("inpo", "bradley_terry"):
        z = logits[rows, y]
        margin = z[:, :, None] - z[:, None, :]
        if method == "bradley_terry":
            residual = expit(margin) - won
        else:
            before = old[rows, y]
            keep = (training.eta - training.tau) / training.eta
            h = margin - keep * (before[:, :, None] - before[:, None, :])
            # ordered by the comparison, the target of the signed difference is (won - lost) / (2 eta)
            residual = 2 * (h - (2 * won - 1) / (2 * training.eta))
        off = 1 - np.eye(k)
        np.add.at(out, (np.broadcast_to(rows, y.shape), y), (residual * off).sum(axis=2))
        return np.asarray(out / (batch * k * (k - 1) / 2))
    share = (won.sum(axis=2) - 0.5) / (k - 1) - 0.5  # share of won comparisons with the others, minus 1/2
    log_pi = log_softmax(logits, axis=1)
    if method == "sppo":
        weight = 2 * (log_pi[rows, y] - old[rows, y] - training.eta * share)
    else:
        weight = -share
    # d log pi(y) / d logits = one-hot(y) - pi
    np.add.at(out, (np.broadcast_to(rows, y.shape), y), weight)
    out -= weight.sum(axis=1, keepdims=True) * np.exp(log_pi)
    return np.asarray(out / (batch * k))
