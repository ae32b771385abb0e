"""How large is a game?  Random probes answer in a second what a walk would answer in hours.

A probe plays uniformly random moves and sums the products of branching factors along its path: an
unbiased estimate of the number of histories (Knuth 1975, Estimating the efficiency of backtrack
programs, section 3).  Its distribution has a heavy upper tail, so the median of several probes
errs towards small games and is safe for refusing.

Cost: ``PROBES`` random games.
"""

from __future__ import annotations

import random
import statistics
from typing import Any, Final

PROBES: Final = 25


def estimated_histories(game: Any) -> float:
    """Return the median of ``PROBES`` random estimates of the number of histories of a ``pyspiel.Game``."""
    rng = random.Random(0)
    return statistics.median(_probe(game.new_initial_state(), rng) for _ in range(PROBES))


def _probe(state: Any, rng: random.Random) -> float:
    size = width = 1.0
    while not state.is_terminal():
        actions = state.legal_actions()
        if not actions:
            break
        width *= len(actions)
        size += width
        state.apply_action(rng.choice(actions))
    return size
