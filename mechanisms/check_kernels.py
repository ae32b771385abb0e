"""Compiled check of bids: one pass over memory instead of five."""

from __future__ import annotations

import numpy as np

from equilibria.sim.jit import kernel


@kernel
def all_good(values):  # type: ignore[no-untyped-def]
    """Say whether all values [N] are finite and at least 0 (NaN fails every comparison)."""
    good = True
    for k in range(values.shape[0]):
        good &= (values[k] >= 0.0) & (values[k] < np.inf)
    return good
