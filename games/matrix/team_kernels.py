"""Compiled contractions of team features with product policies.

A feature of a team is a tensor F_k[a_1, ..., a_N] over its members' actions, stored flat in C order.
Two copies are kept, the second one with reversed axes, so that every large contraction runs over a
leading axis: multiply-and-add over contiguous rows, which vectorises without re-association.

Cost of ``conditional``: about 2 K A^N multiply-adds.
"""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.types import FloatArray, IntArray

TIE = 1e-12
"""Action values this close (relative to the largest) are ties; the first action wins them."""
CLOSE = 1e-4
"""Squared distance from the target below which an iteration counts as converged."""


@kernel
def contract_leading(flat: FloatArray, weights: FloatArray) -> FloatArray:
    """Return sum_a weights[a] * flat[a, ...] for a flat tensor with leading axis len(weights)."""
    actions = weights.shape[0]
    rest = flat.shape[0] // actions
    out = np.zeros(rest)
    for a in range(actions):
        w = weights[a]
        if w != 0.0:
            base = a * rest
            for r in range(rest):
                out[r] += w * flat[base + r]
    return out


@kernel
def _contract_last(flat: FloatArray, weights: FloatArray) -> FloatArray:
    actions = weights.shape[0]
    rest = flat.shape[0] // actions
    out = np.zeros(rest)
    for r in range(rest):
        base = r * actions
        total = 0.0
        for a in range(actions):
            total += weights[a] * flat[base + a]
        out[r] = total
    return out


@kernel
def conditional(features: FloatArray, reversed_: FloatArray, policy: FloatArray) -> FloatArray:
    """Return D [K, N, A]: expected feature k when member i plays a and the others follow ``policy``.

    Args:
        features: [K, A^N] features, axes in member order.
        reversed_: [K, A^N] the same with member axes reversed.
        policy: [N, A] product policy.
    """
    count = features.shape[0]
    members, actions = policy.shape
    out = np.zeros((count, members, actions))
    for k in range(count):
        first = reversed_[k]
        for j in range(members - 1, 0, -1):
            first = contract_leading(first, policy[j])
        out[k, 0] = first
        prefix = features[k]
        for i in range(1, members):
            prefix = contract_leading(prefix, policy[i - 1])
            block = prefix
            for j in range(members - 1, i, -1):
                block = _contract_last(block, policy[j])
            out[k, i] = block
    return out


@kernel
def expectation(features: FloatArray, policy: FloatArray) -> FloatArray:
    """Return [K]: expected features of a product policy."""
    out = np.zeros(features.shape[0])
    for k in range(features.shape[0]):
        rest = features[k]
        for j in range(policy.shape[0]):
            rest = contract_leading(rest, policy[j])
        out[k] = rest[0]
    return out


@kernel
def first_best(values: FloatArray) -> int:
    """Return the first index whose value is within rounding of the largest one."""
    top = values.max()
    size = max(abs(top), abs(values.min()))
    for a in range(values.shape[0]):
        if values[a] >= top - TIE * size - 1e-300:
            return a
    return 0


@kernel
def best_actions(values: FloatArray) -> IntArray:
    """Return [N] the best action of each member; ``values`` is [N, A]."""
    out = np.zeros(values.shape[0], np.int64)
    for i in range(values.shape[0]):
        out[i] = first_best(values[i])
    return out


@kernel
def distance(policy: FloatArray, target: IntArray) -> float:
    """Return the largest squared distance over members from pure actions ``target`` [N]."""
    furthest = 0.0
    for i in range(policy.shape[0]):
        total = 0.0
        for a in range(policy.shape[1]):
            total += (policy[i, a] - (1.0 if a == target[i] else 0.0)) ** 2
        furthest = max(furthest, total)
    return furthest


@kernel
def move_(policy: FloatArray, target: IntArray, iteration: int, rate: float) -> None:
    """Move every member towards its target in place; member ``iteration`` mod N takes a double step."""
    members = policy.shape[0]
    for i in range(members):
        step = rate * (2.0 if i == iteration % members else 1.0)
        for a in range(policy.shape[1]):
            policy[i, a] *= 1.0 - step
        policy[i, target[i]] += step


@kernel
def learn(
    features: FloatArray,
    reversed_: FloatArray,
    coupling: FloatArray,
    start: FloatArray,
    opponent: FloatArray,
    self_weight: float,
    rate: float,
    minimum: int,
    limit: int,
) -> tuple[FloatArray, int, bool]:
    """Move a team towards its members' best actions against a mixture of itself and fixed opponents.

    Returns the policy [N, A], the iterations done and whether the rule's convergence test held.

    Args:
        features: [K, A^N].
        reversed_: [K, A^N].
        coupling: [K, K] antisymmetric; u = F(own)^T coupling F(other).
        start: [N, A].
        opponent: [K] expected features of the fixed opponents' mixture.
        self_weight: Weight of the team itself as opponent, in [0, 1].
        rate: Step size; member (iteration mod N) moves by twice that.
        minimum: Iterations before convergence is accepted.
        limit: Iterations at most.
    """
    members, actions = start.shape
    policy = start.copy()
    fixed = self_weight == 0.0
    direction = coupling @ opponent
    if fixed:
        # one tensor suffices when the opponents do not move
        mixed = np.zeros((1, features.shape[1]))
        mixed_reversed = np.zeros((1, features.shape[1]))
        for k in range(features.shape[0]):
            mixed[0] += direction[k] * features[k]
            mixed_reversed[0] += direction[k] * reversed_[k]
    else:
        mixed, mixed_reversed = features, reversed_
    weights = np.ones(1)
    run = 0
    done = 0
    converged = False
    while done < limit:
        d = conditional(mixed, mixed_reversed, policy)
        if not fixed:
            own = np.zeros(features.shape[0])
            for k in range(features.shape[0]):
                for a in range(actions):
                    own[k] += policy[0, a] * d[k, 0, a]
            weights = coupling @ (self_weight * own + (1.0 - self_weight) * opponent)
        values = np.zeros((members, actions))
        for k in range(d.shape[0]):
            for i in range(members):
                for a in range(actions):
                    values[i, a] += weights[k] * d[k, i, a]
        target = best_actions(values)
        run = run + 1 if distance(policy, target) < CLOSE else 0
        if run >= max(5.0, 0.1 * done) and done >= minimum:
            converged = True
            break
        move_(policy, target, done, rate)
        done += 1
    return policy, done, converged
