"""Kernels give the same numbers compiled and as plain Python, and on one or two threads."""

from __future__ import annotations

import json
import os
import subprocess
import sys

SCRIPT = """
import json, warnings
warnings.simplefilter("error")
from equilibria.games.population import plugins
from equilibria.sim.seeds import SeedTree

CASES = [
    (plugins.wealth_exchange, {"agents": 11}, ("random-sequential", "simultaneous", "random-scan")),
    (plugins.wealth_grid, {"agents": 30, "width": 3, "height": 4}, ("random-sequential", "simultaneous")),
    (plugins.schelling, {"width": 6, "height": 5}, ("random-sequential", "simultaneous")),
    (plugins.contagion, {"model": "sir", "infection": 0.4, "recovery": 0.3, "initial_infected": 3,
        "graph": {"params": {"n": 20, "m": 3}}}, ("random-sequential", "simultaneous")),
    (plugins.contagion, {"model": "sis", "infection": 0.4, "recovery": 0.3, "initial_infected": 3,
        "graph": {"params": {"n": 20, "m": 3}}}, ("random-sequential", "simultaneous")),
]
tree, result = SeedTree(2**62 + 12345), []
for plugin, parameters, activations in CASES:
    for activation in activations:
        settings = plugin.settings.model_validate({**parameters, "activation": activation})
        game = plugin.load()(settings, seeds=tree)
        game.reset(tree)
        game.run(1, 3)
        columns = {k: v.tolist() for k, v in game.columns().items()}
        result.append([columns, game.certificate().value])
print(json.dumps(result))
"""


def numbers(**environment: str) -> object:
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        check=False,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert run.returncode == 0, run.stderr
    return json.loads(run.stdout)


def test_uncompiled_kernels_and_any_thread_count_give_the_same_numbers() -> None:
    compiled = numbers(NUMBA_NUM_THREADS="1", PYTHONHASHSEED="1")
    assert numbers(NUMBA_NUM_THREADS="2", PYTHONHASHSEED="2") == compiled
    assert numbers(NUMBA_DISABLE_JIT="1") == compiled
