"""Compiled steps of the worlds; arrays are indexed directly, because passing slices costs twice the time.

Axes: B worlds, N agents.  Arguments that several kernels share:

- key, clock: key of the random numbers; steps since reset (0 for the first episode's start);
- horizon, elapsed [B]: steps of an episode, and done in the present one;
- actions [B, N], reward [B, N], ended [B]: of this step;
- observation, final float32 [B, N, D]: what is seen next, and the last look at an episode that ended.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform, words

RESET = 1 << 20
"""First draw number of the draws that begin an episode; steps use the numbers below."""


@kernel
def tally(reward, ended, running, finished):  # type: ignore[no-untyped-def]
    """Add rewards to the running returns; move returns of ended episodes to ``finished``."""
    for b in range(reward.shape[0]):
        for i in range(reward.shape[1]):
            running[b, i] += reward[b, i]
        if ended[b]:
            for i in range(reward.shape[1]):
                finished[b, i] = running[b, i]
                running[b, i] = 0.0


@kernel
def coordination_begin(key, clock, bits, observation):  # type: ignore[no-untyped-def]
    """Draw the local states of all worlds: 0 with probability 1/n."""
    batch, n = bits.shape
    for b in range(batch):
        for i in range(n):
            bits[b, i] = uniform(key, clock, b, RESET + i) >= 1.0 / n
        for i in range(n):
            for j in range(n):
                observation[b, i, j] = bits[b, j]


@kernel
def coordination_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, threshold, table, elapsed, bits, actions, reward, observation, final, ended
):
    """One step: local states follow the actions except with probability eps; all are paid by the number of ones.

    ``threshold`` is eps * 2**32, ``table`` [n + 1] the reward by the number of ones of the next state.
    """
    batch, n = bits.shape
    for b in range(batch):
        ones = 0
        for block in range((n + 3) // 4):
            drawn = words(key, clock, b, block)
            for j in range(4):
                i = 4 * block + j
                if i < n:
                    bit = actions[b, i] ^ (drawn[j] < threshold)
                    bits[b, i] = bit
                    ones += bit
        for i in range(n):
            reward[b, i] = table[ones]
            for j in range(n):
                observation[b, i, j] = bits[b, j]
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            for i in range(n):
                for j in range(n):
                    final[b, i, j] = bits[b, j]
            for i in range(n):
                bits[b, i] = uniform(key, clock, b, RESET + i) >= 1.0 / n
            for i in range(n):
                for j in range(n):
                    observation[b, i, j] = bits[b, j]


@kernel
def matrix_advance(horizon, payoff, strides, elapsed, actions, reward, ended):  # type: ignore[no-untyped-def]
    """Pay every agent the team payoff of the joint action."""
    for b in range(actions.shape[0]):
        index = 0
        for i in range(actions.shape[1]):
            index += strides[i] * actions[b, i]
        for i in range(actions.shape[1]):
            reward[b, i] = payoff[index]
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0


@kernel
def aloha_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, threshold, capacity, neighbours, elapsed, backlog, actions, reward, observation, final, ended
):
    """One slot: transmissions succeed without a transmitting neighbour, then messages arrive.

    ``threshold`` is the arrival probability * 2**32; ``neighbours`` uint64 [N] are bit sets.
    """
    batch, n = backlog.shape
    one = np.uint64(1)
    for b in range(batch):
        sending = np.uint64(0)
        for i in range(n):
            if actions[b, i] == 1:
                sending |= one << np.uint64(i)
        sent = 0
        lost = 0
        for i in range(n):
            if actions[b, i] == 1 and backlog[b, i] > 0:
                if neighbours[i] & sending:
                    lost += 1
                else:
                    sent += 1
                    backlog[b, i] -= 1
        for block in range((n + 3) // 4):
            drawn = words(key, clock, b, block)
            for j in range(4):
                i = 4 * block + j
                if i < n and drawn[j] < threshold:
                    backlog[b, i] = min(backlog[b, i] + 1, capacity)
        pay = 0.1 * sent - 10.0 * lost
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        for i in range(n):
            reward[b, i] = pay
            observation[b, i, 0] = backlog[b, i]
        if ended[b]:
            elapsed[b] = 0
            for i in range(n):
                final[b, i, 0] = backlog[b, i]
                backlog[b, i] = 1
                observation[b, i, 0] = 1.0


@kernel(inline="always")
def spread_place(key, clock, b, position, velocity, landmark):  # type: ignore[no-untyped-def]
    """Draw agents, then landmarks, uniformly in the square [-1, 1]^2; velocities are 0."""
    n = position.shape[1]
    for i in range(n):
        for d in range(2):
            position[b, i, d] = 2.0 * uniform(key, clock, b, RESET + 2 * i + d) - 1.0
            landmark[b, i, d] = 2.0 * uniform(key, clock, b, RESET + 2 * (n + i) + d) - 1.0
            velocity[b, i, d] = 0.0


@kernel(inline="always")
def spread_look(b, position, velocity, landmark, observation):  # type: ignore[no-untyped-def]
    """Write velocity, position, landmarks and other agents relative to oneself; the rest stays 0."""
    n = position.shape[1]
    for i in range(n):
        for d in range(2):
            observation[b, i, d] = velocity[b, i, d]
            observation[b, i, 2 + d] = position[b, i, d]
            for k in range(n):
                observation[b, i, 4 + 2 * k + d] = landmark[b, k, d] - position[b, i, d]
            place = 4 + 2 * n
            for k in range(n):
                if k != i:
                    observation[b, i, place + d] = position[b, k, d] - position[b, i, d]
                    place += 2


@kernel
def spread_begin(key, clock, position, velocity, landmark, observation):  # type: ignore[no-untyped-def]
    """Begin an episode in all worlds."""
    for b in range(position.shape[0]):
        spread_place(key, clock, b, position, velocity, landmark)
        spread_look(b, position, velocity, landmark, observation)


@kernel
def spread_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, local_ratio, elapsed, position, velocity, landmark, force, actions, reward, observation,
    final, ended
):  # fmt: skip
    """One step of the particle world: forces, positions with the old velocity, then velocities.

    ``force`` [N, 2] is scratch space.
    """
    batch, n = position.shape[:2]
    reach, sharp, dt, damping, push, contact = 0.3, 1e-3, 0.1, 0.25, 5.0, 100.0
    for b in range(batch):
        for i in range(n):
            a = actions[b, i]
            force[i, 0] = push if a == 2 else (-push if a == 1 else 0.0)
            force[i, 1] = push if a == 4 else (-push if a == 3 else 0.0)
        for i in range(n):
            for j in range(i + 1, n):
                dx = position[b, i, 0] - position[b, j, 0]
                dy = position[b, i, 1] - position[b, j, 1]
                distance = math.sqrt(dx * dx + dy * dy)
                x = (reach - distance) / sharp
                # below -50 the force is under 1e-19; agents in the very same place have no direction
                if x > -50.0 and distance > 0.0:
                    depth = sharp * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
                    scale = contact * depth / distance
                    force[i, 0] += scale * dx
                    force[i, 1] += scale * dy
                    force[j, 0] -= scale * dx
                    force[j, 1] -= scale * dy
        for i in range(n):
            for d in range(2):
                position[b, i, d] += velocity[b, i, d] * dt
                velocity[b, i, d] = velocity[b, i, d] * (1.0 - damping) + force[i, d] * dt
        total = 0.0
        for k in range(n):
            nearest = math.inf
            for i in range(n):
                dx = position[b, i, 0] - landmark[b, k, 0]
                dy = position[b, i, 1] - landmark[b, k, 1]
                nearest = min(nearest, dx * dx + dy * dy)
            total -= math.sqrt(nearest)
        for i in range(n):
            hits = 0.0
            for j in range(n):
                dx = position[b, i, 0] - position[b, j, 0]
                dy = position[b, i, 1] - position[b, j, 1]
                if j != i and math.sqrt(dx * dx + dy * dy) < reach:
                    hits += 1.0
            reward[b, i] = (1.0 - local_ratio) * total - local_ratio * hits
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            spread_look(b, position, velocity, landmark, final)
            spread_place(key, clock, b, position, velocity, landmark)
        spread_look(b, position, velocity, landmark, observation)
