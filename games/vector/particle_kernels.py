"""Compiled steps of population-varying particle worlds: any number of agents, L resources or treasures.

Axes: B worlds, N agents, L sites.  Arguments are those of ``kernels``; in addition

- site [B, L, 2], size [L]: places and radii of the sites;
- mode: who earns what, 0 the team's sum, 1 the own share, 2 what the team would lose without the agent;
- team [B]: the team's reward of this step, whatever the mode;
- force [N, 2], count [L], single [L]: scratch space.

Source: the particle world of Lowe et al. (2017), arXiv 1706.02275, in its first form: velocities move first.
"""

from __future__ import annotations

import math

import numpy as np

from equilibria.games.vector.kernels import RESET
from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

RADIUS = 0.05
"""Radius of an agent; two touch below twice this distance."""
PUSH, CONTACT, SHARP, DT, KEEP = 5.0, 100.0, 1e-3, 0.1, 0.75


@kernel(inline="always")
def place(key, clock, b, position, velocity, site):  # type: ignore[no-untyped-def]
    """Draw agents, then sites, uniformly in the square [-1, 1]^2; velocities are 0."""
    n, sites = position.shape[1], site.shape[1]
    for i in range(n):
        for d in range(2):
            position[b, i, d] = 2.0 * uniform(key, clock, b, RESET + 2 * i + d) - 1.0
            velocity[b, i, d] = 0.0
    for j in range(sites):
        for d in range(2):
            site[b, j, d] = 2.0 * uniform(key, clock, b, RESET + 2 * (n + j) + d) - 1.0


@kernel(inline="always")
def look(b, position, velocity, site, size, observation):  # type: ignore[no-untyped-def]
    """Write own velocity and position, every other agent with its view of the sites, and the own view of them."""
    n, sites = position.shape[1], site.shape[1]
    width = 4 + 3 * sites
    for i in range(n):
        x, y = position[b, i, 0], position[b, i, 1]
        observation[b, i, 0] = velocity[b, i, 0]
        observation[b, i, 1] = velocity[b, i, 1]
        observation[b, i, 2] = x
        observation[b, i, 3] = y
        at = 4
        for k in range(n):
            if k != i:
                observation[b, i, at] = position[b, k, 0] - x
                observation[b, i, at + 1] = position[b, k, 1] - y
                observation[b, i, at + 2] = velocity[b, k, 0]
                observation[b, i, at + 3] = velocity[b, k, 1]
                for j in range(sites):
                    observation[b, i, at + 4 + 3 * j] = site[b, j, 0] - position[b, k, 0]
                    observation[b, i, at + 5 + 3 * j] = site[b, j, 1] - position[b, k, 1]
                    observation[b, i, at + 6 + 3 * j] = size[j]
                at += width
        for j in range(sites):
            observation[b, i, at + 3 * j] = site[b, j, 0] - x
            observation[b, i, at + 1 + 3 * j] = site[b, j, 1] - y
            observation[b, i, at + 2 + 3 * j] = size[j]


@kernel(inline="always")
def move(b, position, velocity, actions, force):  # type: ignore[no-untyped-def]
    """Push agents by their actions and apart from each other; velocities, then positions with the new ones."""
    n = position.shape[1]
    reach = 2.0 * RADIUS
    for i in range(n):
        a = actions[b, i]
        force[i, 0] = PUSH if a == 1 else (-PUSH if a == 2 else 0.0)
        force[i, 1] = PUSH if a == 3 else (-PUSH if a == 4 else 0.0)
    for i in range(n):
        for k in range(i + 1, n):
            dx = position[b, i, 0] - position[b, k, 0]
            dy = position[b, i, 1] - position[b, k, 1]
            squared = dx * dx + dy * dy
            # beyond reach + 50 * SHARP the force is under 1e-19; agents in the very same place have no direction
            if 0.0 < squared < (reach + 50.0 * SHARP) ** 2:
                distance = math.sqrt(squared)
                x = (reach - distance) / SHARP
                depth = SHARP * (max(x, 0.0) + math.log1p(math.exp(-abs(x))))
                scale = CONTACT * depth / distance
                force[i, 0] += scale * dx
                force[i, 1] += scale * dy
                force[k, 0] -= scale * dx
                force[k, 1] -= scale * dy
    for i in range(n):
        for d in range(2):
            velocity[b, i, d] = KEEP * velocity[b, i, d] + DT * force[i, d]
            position[b, i, d] += DT * velocity[b, i, d]


@kernel(inline="always")
def occupants(b, position, site, size, count, single):  # type: ignore[no-untyped-def]
    """Write how many agents touch each site, and the last one that does (-1 for nobody)."""
    for j in range(site.shape[1]):
        count[j] = 0
        single[j] = -1
        bound = (size[j] + RADIUS) ** 2
        for i in range(position.shape[1]):
            dx = position[b, i, 0] - site[b, j, 0]
            dy = position[b, i, 1] - site[b, j, 1]
            if dx * dx + dy * dy < bound:
                count[j] += 1
                single[j] = i


@kernel(inline="always")
def pay_sites(b, position, site, size, worth, mode, count, single, reward):  # type: ignore[no-untyped-def]
    """Pay for occupied sites by ``worth`` [L]; returns the team's sum.  Team pay (mode 0) is left to the caller."""
    n = position.shape[1]
    total = 0.0
    for i in range(n):
        reward[b, i] = 0.0
    for j in range(site.shape[1]):
        if count[j] == 0:
            continue
        total += worth[j]
        if mode == 2 and count[j] == 1:
            reward[b, single[j]] += worth[j]
        elif mode == 1:
            bound = (size[j] + RADIUS) ** 2
            for i in range(n):
                dx = position[b, i, 0] - site[b, j, 0]
                dy = position[b, i, 1] - site[b, j, 1]
                if dx * dx + dy * dy < bound:
                    reward[b, i] += worth[j] / count[j]
    return total


@kernel
def begin(key, clock, position, velocity, site, size, observation):  # type: ignore[no-untyped-def]
    """Begin an episode in all worlds."""
    for b in range(position.shape[0]):
        place(key, clock, b, position, velocity, site)
        look(b, position, velocity, site, size, observation)


@kernel
def occupation_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, mode, elapsed, position, velocity, site, size, worth, force, count, single, team, actions,
    reward, observation, final, ended
):  # fmt: skip
    """One step of resource occupation."""
    n = position.shape[1]
    for b in range(position.shape[0]):
        move(b, position, velocity, actions, force)
        occupants(b, position, site, size, count, single)
        total = pay_sites(b, position, site, size, worth, mode, count, single, reward)
        team[b] = total
        if mode == 0:
            for i in range(n):
                reward[b, i] = total
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            look(b, position, velocity, site, size, final)
            place(key, clock, b, position, velocity, site)
        look(b, position, velocity, site, size, observation)


@kernel
def treasure_advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, mode, penalty, elapsed, position, velocity, site, size, worth, force, count, single, team,
    actions, reward, observation, final, ended
):  # fmt: skip
    """One step of treasure collection: collect, pay for collisions, then new treasures appear."""
    n = position.shape[1]
    reach = (2.0 * RADIUS) ** 2
    for b in range(position.shape[0]):
        move(b, position, velocity, actions, force)
        occupants(b, position, site, size, count, single)
        total = pay_sites(b, position, site, size, worth, mode, count, single, reward)
        for i in range(n):
            for k in range(i + 1, n):
                dx = position[b, i, 0] - position[b, k, 0]
                dy = position[b, i, 1] - position[b, k, 1]
                if dx * dx + dy * dy < reach:
                    total -= penalty
                    share = penalty if mode == 2 else 0.5 * penalty
                    reward[b, i] -= share
                    reward[b, k] -= share
        team[b] = total
        if mode == 0:
            for i in range(n):
                reward[b, i] = total
        for j in range(site.shape[1]):
            if count[j] > 0:
                for d in range(2):
                    site[b, j, d] = 2.0 * uniform(key, clock, b, np.int64(2 * j + d)) - 1.0
        elapsed[b] += 1
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            elapsed[b] = 0
            look(b, position, velocity, site, size, final)
            place(key, clock, b, position, velocity, site)
        look(b, position, velocity, site, size, observation)
