"""Random instances of coupled restless bandits; see ``restless``."""

from __future__ import annotations

import numpy as np

from equilibria.games.decisions.couplings import Capacity, Count, Coupling, Path, Schedule
from equilibria.games.decisions.restless import RestlessGame
from equilibria.games.decisions.settings import RestlessSettings
from equilibria.games.decisions.walks import hop_distances
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray, IntArray

SLOTS = 5
GROUP = 3
"""Interventions that belong together."""
PUSH = 9.0
"""Sum of the weights of a group's interventions on an arm: 3 each."""


def build(settings: RestlessSettings, *, seeds: SeedTree) -> RestlessGame:
    """Draw an instance."""
    s, rng = settings, seeds.generator()
    if s.coupling == "interventions":
        return _intervened(s, rng)
    up = np.stack([rng.uniform(0.0, 0.2, s.arms), rng.uniform(0.7, 0.9, s.arms)])
    reward = _rewards(np.arange(s.arms) < s.workers, rng)
    cost, capacity = rng.integers(2, 7, s.arms), rng.integers(2, 8, s.workers)
    coupling: Coupling
    if s.coupling == "capacity":
        coupling = Capacity(cost, capacity)
    elif s.coupling == "schedule":
        coupling = Schedule(_shared_slots(s.arms, s.workers, rng))
    else:
        edges, source = _graph(s.arms, rng)
        coupling = Path(edges, source, s.walk or 2 * s.workers, s.workers)
    return RestlessGame(up, np.arange(s.arms)[:, None], reward, s.horizon, coupling, s.episodes)


def _rewards(good: BoolArray, rng: np.random.Generator) -> FloatArray:
    reward = np.where(good[:, None], [0.2, 0.15, 0.1, 0.0], [0.1, 0.15, 0.2, 0.0])
    reward[:, 3] = np.where(good, rng.integers(4, 7, good.size), rng.integers(1, 4, good.size))
    return reward


def _shared_slots(arms: int, workers: int, rng: np.random.Generator) -> BoolArray:
    """Arms are open in 2 slots, workers work in 3; late slots suit arms, early ones workers."""
    arm_share, worker_share = np.sort(rng.random(SLOTS)), np.sort(rng.random(SLOTS))[::-1]
    slots = np.zeros((arms + workers, SLOTS), np.bool_)
    for k in range(arms + workers):
        count, share = (2, arm_share) if k < arms else (3, worker_share)
        slots[k, rng.choice(SLOTS, count, replace=False, p=share / share.sum())] = True
    return np.asarray(slots[:arms].astype(np.int64) @ slots[arms:].T.astype(np.int64) > 0)


def _graph(arms: int, rng: np.random.Generator) -> tuple[BoolArray, int]:
    """Random points in the unit square, each joined to its two nearest, and a shortest tree that connects all.

    The source is the arm with the least sum of hop distances.
    """
    points = rng.random((arms, 2))
    gap = np.linalg.norm(points[:, None] - points[None, :], axis=2)
    np.fill_diagonal(gap, np.inf)
    edges = np.zeros((arms, arms), np.bool_)
    for j in range(arms):
        edges[j, np.argsort(gap[j], kind="stable")[: min(2, arms - 1)]] = True
    inside = np.zeros(arms, np.bool_)
    inside[0] = True
    for _ in range(arms - 1):  # the tree grows by the shortest edge that leaves it
        a, b = np.unravel_index(np.argmin(np.where(inside[:, None] & ~inside[None, :], gap, np.inf)), gap.shape)
        edges[a, b] = inside[b] = True
    edges |= edges.T
    return edges, int(hop_distances(edges).sum(axis=1).argmin())


def _intervened(s: RestlessSettings, rng: np.random.Generator) -> RestlessGame:
    """Draw groups of three interventions; arm j listens to group j modulo the number of groups.

    The first third of the budget's groups (rounded, at least one) is good: their arms pay like good arms and hardly
    react before all three interventions act; the others react to one intervention, weakly.
    """
    controls = s.interventions or 2 * s.workers
    groups = [np.arange(k, min(k + GROUP, controls)) for k in range(0, controls, GROUP)]
    best = max(1, round(s.workers / GROUP))
    group_of = np.arange(s.arms) % len(groups)
    good = group_of < best
    reward = _rewards(good, rng)
    height = np.where(good, rng.uniform(0.7, 1.0, s.arms), rng.uniform(0.2, 0.5, s.arms))
    slope = np.where(good, rng.uniform(1.4, 1.9, s.arms), 1.0)
    middle = np.where(good, rng.integers(9, 11, s.arms), rng.integers(1, 3, s.arms)).astype(np.float64)
    width = max(len(g) for g in groups)
    links: IntArray = np.full((s.arms, width), -1, np.int64)
    for j in range(s.arms):
        own = groups[group_of[j]]
        links[j, : own.size] = own
    sizes = np.array([groups[g].size for g in group_of])
    used = np.array([[int(w & (1 << int(k)) - 1).bit_count() for k in sizes] for w in range(2**width)])
    push = PUSH / sizes * used
    lift = height * (_sigmoid(slope * push - middle) - _sigmoid(-middle))
    return RestlessGame(
        0.98 * lift + 0.01, links, reward, s.horizon, Count(controls, min(s.workers, controls)), s.episodes
    )


def _sigmoid(x: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-x)))
