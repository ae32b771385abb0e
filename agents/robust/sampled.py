"""The hyper-gradient from roll-outs alone: no model of the world, no matrix.

For a soft response pi at temperature tau, with s drawn from the discounted visits and a from pi(.|s),

    dG = E[ (dQ(s, a) - dV(s)) / tau (Q_u(s, a) - V_u(s)) + du(s, a) ] / (1 - gamma),

where Q_u, V_u, dQ and dV are sums of u and dr along roll-outs of their own that go on with probability gamma, so all
factors are independent and the estimate is unbiased; V_u changes no mean, it takes noise out.

Source: Thoma et al. (2024), Contextual bilevel reinforcement learning for incentive alignment, arXiv 2406.01575.

Axes: K parameters, S states, A actions, R samples.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.robust.design import Design
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.types import BoolArray, FloatArray, IntArray


@dataclass(frozen=True, slots=True)
class SampledGradient:
    """An estimate of the derivative of the designer's payoff.

    Attributes:
        gradient: [K] mean.
        error: [K] standard error.
        naive: [K] with the response held fixed.
        samples: Number R of samples; the world is stepped about 5 R / (1 - gamma) times.
    """

    gradient: FloatArray
    error: FloatArray
    naive: FloatArray
    samples: int


def sampled_hypergradient(
    design: Design, policy: FloatArray, temperature: float, *, samples: int, rng: np.random.Generator
) -> SampledGradient:
    """Estimate the hyper-gradient from roll-outs of the agents' response.

    Args:
        design: The agents' world; its transitions are only drawn from.
        policy: [S, A] the agents' (soft) response, learned or exact.
        temperature: tau > 0 of the response.
        samples: R >= 2.
        rng: Source of the roll-outs.

    Raises:
        InvalidValue: If the policy is none, or a number is out of range.
        Unsupported: If transitions depend on the parameters (their derivative needs a model).
    """
    if policy.shape != design.rewards.shape or (policy < 0).any() or np.abs(policy.sum(axis=1) - 1).max() > 1e-8:
        raise InvalidValue(f"policy must hold a distribution per state, shape {design.rewards.shape}")
    if not (np.isfinite(temperature) and temperature > 0) or samples < 2:
        raise InvalidValue(f"need a temperature > 0 and at least 2 samples, got {temperature!r} and {samples!r}")
    if design.transitions_by is not None:
        raise Unsupported("transitions that depend on the parameters need a model: use the exact hyper-gradient")
    worlds = _Worlds(design, policy, rng)
    states, there = worlds.visits(samples)
    actions = worlds.act(states)
    utility, slopes = design.utility[..., None], np.moveaxis(design.rewards_by, 0, -1)
    advantage = worlds.sums(utility, states, actions) - worlds.sums(utility, states, worlds.act(states))
    score = worlds.sums(slopes, states, actions) - worlds.sums(slopes, states, worlds.act(states))
    naive = np.moveaxis(design.utility_by, 0, -1)[states, actions] * there[:, None]
    found = naive + score / temperature * advantage * there[:, None]
    scale = 1 / (1 - design.discount)
    error = scale * found.std(axis=0, ddof=1) / np.sqrt(samples)
    return SampledGradient(scale * found.mean(axis=0), error, scale * naive.mean(axis=0), samples)


class _Worlds:
    """Independent copies of a design's world under a fixed policy."""

    def __init__(self, design: Design, policy: FloatArray, rng: np.random.Generator) -> None:
        self._design, self._rng = design, rng
        self._policy = policy.cumsum(axis=1)
        self._moves = design.transitions.cumsum(axis=2)

    def act(self, states: IntArray) -> IntArray:
        """Draw actions [R] in states [R]."""
        drawn = self._rng.random(len(states))[:, None]
        return np.asarray(np.minimum((self._policy[states] <= drawn).sum(axis=1), self._policy.shape[1] - 1), np.int64)

    def visits(self, samples: int) -> tuple[IntArray, BoolArray]:
        """Draw states [R] with the law of the discounted visits; False [R] where the process ended before."""
        start = self._design.start.cumsum()
        states = np.minimum(np.searchsorted(start, self._rng.random(samples), side="right"), len(start) - 1)
        there = np.ones(samples, np.bool_)
        live = np.arange(samples)
        while len(live := live[self._rng.random(len(live)) < self._design.discount]):
            states[live], stays = self._follow(states[live], self.act(states[live]))
            there[live[~stays]] = False
            live = live[stays]
        return states, there

    def sums(self, paid: FloatArray, states: IntArray, actions: IntArray) -> FloatArray:
        """Return sums [R, K] of ``paid`` [S, A, K] along roll-outs from (state, action); they go on with chance gamma."""
        total = paid[states, actions].copy()
        live, at, doing = np.arange(len(states)), states, actions
        while True:
            on = self._rng.random(len(live)) < self._design.discount
            live = live[on]
            if not len(live):
                return total
            at, stays = self._follow(at[on], doing[on])
            live, at = live[stays], at[stays]
            doing = self.act(at)
            total[live] += paid[at, doing]

    def _follow(self, states: IntArray, actions: IntArray) -> tuple[IntArray, BoolArray]:
        """Draw next states [n]; False where the process ends (rows that sum to less than 1)."""
        rows = self._moves[states, actions]
        drawn = self._rng.random(len(states))
        stays = drawn < rows[:, -1]
        return np.minimum((rows <= drawn[:, None]).sum(axis=1), rows.shape[1] - 1), stays
