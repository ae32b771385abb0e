"""Compiled steps of coupled restless bandits.

Axes: B worlds, J arms, C controls, W modes of an arm, D controls of an arm, 4 states.  Draw j of a step moves arm j,
draw J + j is its first state in the next episode.
"""

from __future__ import annotations

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform

TOP = 3
FIRST = 0.2
"""Probability that an arm begins in state 1; else it begins in state 0."""


@kernel
def begin(key, clock, b, arms, elapsed, observation):  # type: ignore[no-untyped-def]
    """Draw the first states of world b and write the observation float32 [B, 1, 4 J + 1]."""
    count = arms.shape[1]
    elapsed[b] = 0
    observation[b, 0, :] = 0.0
    for j in range(count):
        arms[b, j] = 1 if uniform(key, clock, b, count + j) < FIRST else 0
        observation[b, 0, (TOP + 1) * j + arms[b, j]] = 1.0


@kernel
def begin_all(key, clock, arms, elapsed, observation):  # type: ignore[no-untyped-def]
    """Begin an episode in every world."""
    for b in range(arms.shape[0]):
        begin(key, clock, b, arms, elapsed, observation)


@kernel
def advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, up, links, pays, pay, actions, arms, expected, elapsed, reward, observation, final, ended,
):  # fmt: skip
    """Move every arm of every world; episodes end after ``horizon`` steps and begin anew.

    Args:
        key: uint64.
        clock: Number of the step.
        horizon: H.
        up: float64 [W, J] probability of moving up by mode.
        links: int64 [J, D] controls of each arm, -1 for none.
        pays: float64 [J, 4] reward of the next state.
        pay: float64 [W, J, 4] expected reward of the next step by mode and state.
        actions: int64 [B, 1, C], 1 for a control in use.
        arms: int64 [B, J] states.
        expected: float64 [B, 1] expected reward of the step, overwritten.
        elapsed: int64 [B].
        reward: float64 [B, 1], overwritten.
        observation: float32 [B, 1, 4 J + 1].
        final: float32 [B, 1, 4 J + 1].
        ended: bool [B], overwritten.
    """
    count, width = links.shape
    for b in range(arms.shape[0]):
        expected[b, 0] = reward[b, 0] = 0.0
        for j in range(count):
            mode = 0
            for d in range(width):
                if links[j, d] >= 0 and actions[b, 0, links[j, d]] > 0:
                    mode |= 1 << d
            s = arms[b, j]
            expected[b, 0] += pay[mode, j, s]
            t = min(s + 1, TOP) if uniform(key, clock, b, j) < up[mode, j] else max(s - 1, 0)
            arms[b, j] = t
            reward[b, 0] += pays[j, t]
            observation[b, 0, (TOP + 1) * j + s] = 0.0
            observation[b, 0, (TOP + 1) * j + t] = 1.0
        elapsed[b] += 1
        observation[b, 0, -1] = elapsed[b] / horizon
        ended[b] = elapsed[b] == horizon
        if ended[b]:
            final[b] = observation[b]
            begin(key, clock, b, arms, elapsed, observation)
