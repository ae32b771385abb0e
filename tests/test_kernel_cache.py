"""Cached kernels are compiled anew when something they use has changed in another file."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

INNER = """
from equilibria.sim.jit import kernel

SHIFT = {shift}


@kernel
def inner(x):
    return x * {factor}
"""

OUTER = """
from equilibria.sim.jit import kernel
from inner_module import SHIFT, inner


@kernel
def outer(x):
    return between(x)


@kernel
def between(x):  # below its caller: not there yet when ``outer`` is decorated
    return inner(x) + SHIFT
"""

COMMAND = "from outer_module import outer; print(outer(10), sum(outer.stats.cache_hits.values()))"


def _run(folder: Path, *, factor: int, shift: int) -> tuple[int, int]:
    (folder / "inner_module.py").write_text(INNER.format(factor=factor, shift=shift))
    (folder / "outer_module.py").write_text(OUTER)
    environment = {**os.environ, "NUMBA_CACHE_DIR": str(folder / "cache"), "PYTHONPATH": str(folder)}
    environment.pop("NUMBA_DISABLE_JIT", None)
    done = subprocess.run(
        [sys.executable, "-c", COMMAND], cwd=folder, env=environment, capture_output=True, text=True, check=True
    )
    value, hits = map(int, done.stdout.split())
    return value, hits


@pytest.mark.heavy
def test_changes_in_called_kernels_and_constants_are_noticed(tmp_path: Path) -> None:
    assert _run(tmp_path, factor=2, shift=1) == (21, 0)
    assert _run(tmp_path, factor=2, shift=1) == (21, 1)  # unchanged: from the cache
    assert _run(tmp_path, factor=3, shift=1) == (31, 0)  # the called kernel changed
    assert _run(tmp_path, factor=3, shift=5) == (35, 0)  # the constant changed
