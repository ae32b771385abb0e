"""Saving and restoring batches of worlds."""

from __future__ import annotations

import numpy as np

from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue

_FIELDS = (
    "elapsed", "actions", "observation", "final_observation", "reward", "ended", "running_return", "episode_return",
)  # fmt: skip


def save_worlds(state: WorldState) -> State:
    """Return everything a batch of worlds needs to go on, as copies."""
    arrays = {name: getattr(state, name).copy() for name in _FIELDS}
    arrays |= {f"own/{name}": value.copy() for name, value in state.own.items()}
    return State(arrays, {"key": str(int(state.key)), "clock": int(state.clock)})


def load_worlds(world: VectorWorld, saved: State) -> WorldState:
    """Return the batch of worlds that ``save_worlds`` saved.

    Raises:
        InvalidValue: If the state belongs to another world; names the first array that differs.
    """
    state = world.reset(int(str(saved.meta["key"])), len(saved.arrays["elapsed"]))
    state.clock = int(str(saved.meta["clock"]))
    targets = {name: getattr(state, name) for name in _FIELDS}
    targets |= {f"own/{name}": value for name, value in state.own.items()}
    for name, target in targets.items():
        found = saved.arrays.get(name)
        if found is None or found.shape != target.shape:
            shape = "is missing" if found is None else f"has shape {found.shape}"
            raise InvalidValue(f"{world.name}: array {name!r} of the saved worlds {shape}, expected {target.shape}")
        np.copyto(target, found)
    world.resume(state)
    return state
