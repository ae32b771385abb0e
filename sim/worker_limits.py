"""Threads of numeric libraries: one per process, set before the libraries are loaded.

Several workers with several BLAS threads each would fight for the cores, and sums in BLAS or torch
depend on the number of threads.  Compiled kernels have their own setting (``run.threads``).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

VARIABLES: Final = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)


def limit_library_threads() -> None:
    """Ask for one thread per numeric library; has an effect only before numpy is loaded."""
    if "numpy" not in sys.modules:
        for name in VARIABLES:
            os.environ.setdefault(name, "1")


@contextmanager
def worker_environment(workers: int) -> Iterator[None]:
    """Set the variables that processes started meanwhile inherit; restores them afterwards."""
    share = max(1, (os.cpu_count() or 1) // max(1, workers))
    wanted = {**dict.fromkeys(VARIABLES, "1"), "POLARS_MAX_THREADS": str(share)}
    before = {name: os.environ.get(name) for name in wanted}
    os.environ.update(wanted)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
