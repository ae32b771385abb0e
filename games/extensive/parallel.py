"""Gradients by several threads, for games with at least ``MIN_ENTRIES`` entries.

Rows are cut into blocks of nearly equal numbers of entries; a row is never split, so every sum is
formed in the same order whatever the number of threads and results are bit-identical.

Cost: one hand-off to the thread pool (10 to 20 microseconds) per call.
"""

from __future__ import annotations

import numba
import numpy as np

from equilibria.games.extensive.arrays import GameArrays
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.sim.jit import kernel
from equilibria.sim.types import UIntArray

MIN_ENTRIES = 200_000
"""Below this many entries n*M a hand-off to threads costs more than it saves."""
BLOCKS = 64


@kernel(parallel=True)
def gradient_blocks(rowptr, col, val, x, g, bounds):  # type: ignore[no-untyped-def]
    """``gradient_rows`` over the row blocks ``bounds[b] .. bounds[b+1]-1``; bounds: uint32 [B+1]."""
    for b in numba.prange(bounds.shape[0] - 1):
        gradient_rows(rowptr, col, val, x, g, bounds[b], bounds[b + 1])


def row_blocks(arrays: GameArrays, player: int) -> UIntArray:
    """Return row bounds uint32 [B+1] that split a player's entries evenly into at most ``BLOCKS`` blocks."""
    lo, hi = int(arrays.seq_off[player]), int(arrays.seq_off[player + 1])
    ends = arrays.rowptr[lo : hi + 1].astype(np.int64)
    marks = np.linspace(int(ends[0]), int(ends[-1]), BLOCKS + 1)[1:-1]
    inner = lo + np.searchsorted(ends, marks)
    return np.unique(np.concatenate(([lo], inner, [hi]))).astype(np.uint32)


def worthwhile(arrays: GameArrays, threads: int) -> bool:
    """Say whether threads pay for this game."""
    return threads > 1 and arrays.players * arrays.merged > MIN_ENTRIES
