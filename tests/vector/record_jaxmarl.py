"""Record simple spread as JaxMARL plays it; run where jaxmarl is installed: ``python record_jaxmarl.py jaxmarl.json``.

Forty episodes of 25 steps and one run of 1,000 steps without a reset, random actions, in float64: collisions are
stiff and multiply the rounding of JaxMARL's default float32 to a little more than 1e-5.  Looks (observations
[3, 18] without the four messages, which are 0) are kept every 25 steps, rewards [3] every step or every 25.
"""

from __future__ import annotations

import importlib
import importlib.metadata
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np

SEED, LOOK = 20261120, 25


def play(env: Any, key: Any, actions: Any) -> dict[str, Any]:
    """Play actions int [T, 3] from a start that the key draws."""
    often = 1 if len(actions) == LOOK else LOOK
    names = env.agents
    _, state = env.reset(key)
    run: dict[str, Any] = {
        "position": np.asarray(state.p_pos[:3]).tolist(),
        "landmark": np.asarray(state.p_pos[3:]).tolist(),
        "actions": "".join(str(a) for a in actions.ravel()),
        "reward": [],
        "looks": [],
    }
    for t, row in enumerate(actions):
        chosen = {name: int(a) for name, a in zip(names, row, strict=True)}
        seen, state, paid, _, _ = env.step_env(key, state, chosen)
        if (t + 1) % often == 0:
            run["reward"].append([round(float(paid[name]), 7) for name in names])
        if (t + 1) % LOOK == 0:
            run["looks"].append([[round(float(x), 7) for x in np.asarray(seen[name])[:14]] for name in names])
    return run


def main(target: str) -> None:
    """Write the recording."""
    jax = importlib.import_module("jax")
    jax.config.update("jax_enable_x64", True)
    env = importlib.import_module("jaxmarl").make("MPE_simple_spread_v3")
    rng = np.random.default_rng(SEED)
    keys = jax.random.split(jax.random.PRNGKey(7), 41)
    lengths = [25] * 40 + [1000]
    runs = [play(env, key, rng.integers(0, 5, (n, 3))) for key, n in zip(keys, lengths, strict=True)]
    version = importlib.metadata.version
    source = f"jaxmarl {version('jaxmarl')} MPE_simple_spread_v3, jax {version('jax')}, float64, seed {SEED}, key 7"
    Path(target).write_text(json.dumps({"source": source, "runs": runs}, separators=(",", ":")) + "\n")


if __name__ == "__main__":
    main(sys.argv[1])
