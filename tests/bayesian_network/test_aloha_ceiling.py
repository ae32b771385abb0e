"""What agents that see only their own queue can earn on the Aloha channel, by exact computation.

Two neighbours are bounded by two independent virtual queues whose transmissions all succeed: 0.1 each until both
send at once, and -8 then (docs/bayesian_network.md says why).  The published graph splits into five such pairs.
"""

from __future__ import annotations

import numpy as np
import pytest

from equilibria.games.vector.aloha import Aloha
from equilibria.sim.types import FloatArray

SLOTS, ARRIVAL, STATES = 20, 0.6, 6
STATIC_SET = 5 * 0.1 * (1 + (SLOTS - 1) * ARRIVAL)
"""What five agents that no link joins earn when they send whenever they can."""


def pair_bound(first: FloatArray, second: FloatArray, collision: float = 8.0) -> FloatArray:
    """Return bounds [K] for chances [K, 5] to send with 1 to 5 messages, of an agent and of its neighbour."""
    count = len(first)
    p = np.concatenate([np.zeros((count, 1)), first], axis=1)[:, :, None]
    q = np.concatenate([np.zeros((count, 1)), second], axis=1)[:, None, :]
    mass, total = np.zeros((count, STATES, STATES)), np.zeros(count)
    mass[:, 1, 1] = 1
    for _ in range(SLOTS):
        one, other, both = mass * p * (1 - q), mass * (1 - p) * q, mass * p * q
        total += 0.1 * (one + other).sum((1, 2)) - collision * both.sum((1, 2))
        mass = mass * (1 - p) * (1 - q)
        mass[:, :-1] += one[:, 1:]
        mass[:, :, :-1] += other[:, :, 1:]
        for axis in (1, 2):
            mass = arrivals(mass, axis)
    return total


def arrivals(mass: FloatArray, axis: int) -> FloatArray:
    turned = np.moveaxis(mass, axis, 1)
    grown = np.zeros_like(turned)
    grown[:, 1:] = turned[:, :-1]
    grown[:, -1] += turned[:, -1]
    return np.asarray(np.moveaxis((1 - ARRIVAL) * turned + ARRIVAL * grown, 1, axis))


def played(chances: FloatArray, worlds: int = 2000) -> tuple[float, float]:
    """Return the mean return, and its standard error, of chances [10, 6] to send given the own queue."""
    game, rng = Aloha(), np.random.default_rng(1)
    state = game.reset(3, worlds)
    total = np.zeros(worlds)
    for _ in range(SLOTS):
        queue = state.observation[:, :, 0].astype(np.int64)
        sends = (rng.random(queue.shape) < chances[np.arange(10), queue]).astype(np.int64)
        game.step(state, {"agent": sends})
        total += state.reward[:, 0]
    return float(total.mean()), float(total.std() / np.sqrt(worlds))


def test_no_rule_of_a_pair_earns_more_than_one_sender() -> None:
    """All 1,024 pairs of deterministic rules."""
    rules = ((np.arange(32)[:, None] >> np.arange(5)) & 1).astype(np.float64)
    bounds = pair_bound(np.repeat(rules, 32, axis=0), np.tile(rules, (32, 1)))
    assert bounds.max() == pytest.approx(STATIC_SET / 5, abs=1e-12)
    assert STATIC_SET == pytest.approx(6.2)


def test_no_random_rule_of_a_pair_earns_more_either() -> None:
    """Coordinate ascent, exact in each coordinate's grid, from random chances."""
    rng = np.random.default_rng(0)
    chances = rng.random((60, 10)) ** rng.choice([0.2, 1.0, 5.0], (60, 1))
    grid = np.array([0, 1e-3, 1e-2, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 1])
    for entry in [*range(10)] * 4:
        tried = np.repeat(chances[:, None], len(grid), axis=1)
        tried[:, :, entry] = grid
        flat = tried.reshape(-1, 10)
        found = pair_bound(flat[:, :5], flat[:, 5:]).reshape(60, -1)
        chances[:, entry] = grid[found.argmax(axis=1)]
    reached = pair_bound(chances[:, :5], chances[:, 5:])
    assert reached.max() <= STATIC_SET / 5 + 1e-9
    assert np.quantile(reached, 0.5) > 1  # the search does climb


def test_bounds_hold_for_what_is_played() -> None:
    """Random rules of ten agents, nearly static sets among them, never earn more than their five pairs' bounds."""
    rng = np.random.default_rng(2)
    evens = np.arange(10)[:, None] % 2 == 0
    for noise in (0.0, 0.001, 0.01, 0.1, 0.5):
        chances = np.where(evens, 1 - noise * rng.random((10, 6)), noise * rng.random((10, 6)))
        chances[:, 0] *= 0.01
        mean, error = played(chances)
        bound = float(pair_bound(chances[:5, 1:], chances[5:, 1:]).sum())
        assert mean <= bound + 4 * error
    assert played(np.where(evens, 1.0, 0.0) * (np.arange(6) > 0))[0] == pytest.approx(STATIC_SET, abs=0.05)
