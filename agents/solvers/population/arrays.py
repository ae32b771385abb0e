"""What compiled meta-solvers read: one tuple for dense matrices, dense tensors and the operator.

Axes: n players, k_p policies of player p, K = sum k_p, C capacity (allocated policies), S sequences
of all players.  A meta-strategy is one flat vector [K]; player p owns ``offsets[p]:offsets[p+1]``.

Buffers are handed over at full capacity, because a C-contiguous array lets the compiler vectorise
the inner loops while a slice of a larger buffer does not; ``sizes`` says how much of them is in use.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from equilibria.sim.types import FloatArray, IntArray

MATRIX = 0  # two players, two payoff matrices
TENSOR = 1  # n players, n payoff tensors
OPERATOR = 2  # realisation plans and the game itself; no tensor is ever built


class MetaArrays(NamedTuple):
    """A meta-game in the form that kernels read; unused parts are empty arrays."""

    kind: int
    sizes: IntArray  # [n]
    offsets: IntArray  # [n+1]
    rows: FloatArray  # [C, C] payoff of player 0, indexed [policy of player 1, policy of player 0]
    cols: FloatArray  # [C, C] payoff of player 1, indexed [policy of player 0, policy of player 1]
    tensor: FloatArray  # [n * prod k_p] payoffs of player 0, 1, ... in C order
    plans: FloatArray  # [C, S] row j holds policy j of every player
    x: FloatArray  # [S] work: realisation plans of the current mixtures
    g: FloatArray  # [S] work: counterfactual gradient
    seq_off: NDArray[np.unsignedinteger]  # as in GameArrays, likewise the three below
    rowptr: NDArray[np.unsignedinteger]
    col: NDArray[np.unsignedinteger]
    val: FloatArray


def offsets_of(sizes: IntArray) -> IntArray:
    """Return the cumulative offsets [n+1] of population sizes [n]."""
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(sizes)])
