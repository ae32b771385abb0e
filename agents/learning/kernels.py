"""Compiled recursion of generalised advantage estimation."""

from __future__ import annotations

from equilibria.sim.jit import kernel


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
