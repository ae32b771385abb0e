"""The compiled rules do the same in plain Python (numba switched off)."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

PROGRAM = """
import sys
from equilibria.agents.solvers.regret.methods import CLASSES
from equilibria.games.extensive import openspiel
game = openspiel("kuhn_poker(players=3)")
for method in ("dcfr", "wop_cfr", "vad_cfr", "aod_cfr"):
    solver = CLASSES[method](game, budget=8)
    solver.step(8)
    sys.stdout.write(solver.average_policy().probs.tobytes().hex()[:4000] + chr(10))
"""


@pytest.mark.heavy
def test_compiled_and_plain_rules_agree_to_the_last_bits() -> None:
    import numpy as np

    rows = []
    for disabled in ("0", "1"):
        environment = {**os.environ, "NUMBA_DISABLE_JIT": disabled}
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], check=False, env=environment, capture_output=True, text=True, timeout=300
        )
        assert done.returncode == 0, done.stderr
        rows.append([np.frombuffer(bytes.fromhex(line), dtype=np.float64) for line in done.stdout.split()])
    for compiled, plain in zip(*rows, strict=True):
        # the C library's and Python's power and exponential may differ in the last place
        assert compiled == pytest.approx(plain, abs=1e-13)
