"""Compiled recursion of generalised advantage estimation, and sampling of actions."""

from __future__ import annotations

import math

from equilibria.sim.jit import kernel
from equilibria.sim.philox import uniform


@kernel
def gae(  # type: ignore[no-untyped-def]
    rewards, values, final_values, terminated, truncated, active, discount, trace, advantages
):
    """Write advantages [T, L]; see ``advantages.advantages``.  ``values`` and ``active`` are [T + 1, L]."""
    steps, lanes = rewards.shape
    for lane in range(lanes):
        running = 0.0
        for t in range(steps - 1, -1, -1):
            if not active[t, lane]:
                running = 0.0
                advantages[t, lane] = 0.0
                continue
            follow = values[t + 1, lane]
            if truncated[t, lane]:
                follow = final_values[t, lane]
                running = 0.0
            elif not active[t + 1, lane]:
                follow = 0.0
                running = 0.0
            if terminated[t, lane]:
                follow = 0.0
                running = 0.0
            running = rewards[t, lane] + discount * follow - values[t, lane] + discount * trace * running
            advantages[t, lane] = running


@kernel
def draw_actions(key, logits, mask, greedy, actions, log_prob):  # type: ignore[no-untyped-def]
    """Draw actions [B, N] of logits float32 [B, N, A] by one uniform number per (b, agent), or take the largest.

    ``mask`` [B, N, A] holds the available actions, [0, 0, 0] means all.  Sums run in float64.
    """
    batch, agents, choices = logits.shape
    masked = mask.shape[0] > 0
    for b in range(batch):
        for i in range(agents):
            top = -math.inf
            best = 0
            for a in range(choices):
                if (not masked or mask[b, i, a]) and logits[b, i, a] > top:
                    top = logits[b, i, a]
                    best = a
            total = 0.0
            for a in range(choices):
                if not masked or mask[b, i, a]:
                    total += math.exp(logits[b, i, a] - top)
            if not greedy:
                goal = uniform(key, 0, b, i) * total
                run = 0.0
                for a in range(choices):
                    if not masked or mask[b, i, a]:
                        weight = math.exp(logits[b, i, a] - top)
                        run += weight
                        if weight > 0.0:
                            best = a  # the last one with weight, should rounding leave the goal above the sum
                        if run > goal:
                            break
            actions[b, i] = best
            log_prob[b, i] = (logits[b, i, best] - top) - math.log(total)
