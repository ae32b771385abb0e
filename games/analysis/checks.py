"""Checks of payoff arrays and strategies that every public function of this package starts with."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import FloatArray

SUM_TOLERANCE = 1e-9


def payoff_matrix(values: ArrayLike, name: str = "payoffs") -> FloatArray:
    """Return a float64 copy [A, B] with A, B >= 1 and finite entries, or raise by name."""
    matrix = np.array(values, dtype=np.float64)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise InvalidValue(f"{name} must be a matrix with at least one row and one column, got shape {matrix.shape}")
    check_finite(matrix, name)
    return matrix


def square_matrix(values: ArrayLike, name: str = "payoffs") -> FloatArray:
    """Return a float64 copy [A, A] with finite entries, or raise by name."""
    matrix = payoff_matrix(values, name)
    if matrix.shape[0] != matrix.shape[1]:
        raise InvalidValue(f"{name} must be square (one population), got shape {matrix.shape}")
    return matrix


def antisymmetric_matrix(values: ArrayLike, name: str = "payoffs", tolerance: float = 1e-9) -> FloatArray:
    """Return a float64 copy [A, A] with A = -A^T up to ``tolerance`` times the largest entry, or raise."""
    matrix = square_matrix(values, name)
    gap = np.abs(matrix + matrix.T)
    scale = max(1.0, float(np.abs(matrix).max()))
    if gap.max() > tolerance * scale:
        i, j = np.unravel_index(int(gap.argmax()), gap.shape)
        raise InvalidValue(
            f"{name} must be antisymmetric (what i wins against j, j loses): entry [{i}, {j}] is "
            f"{float(matrix[i, j])!r} and entry [{j}, {i}] is {float(matrix[j, i])!r}"
        )
    return (matrix - matrix.T) / 2


def payoff_tensors(payoffs: Sequence[ArrayLike] | ArrayLike, name: str = "payoffs") -> FloatArray:
    """Return [n, k_1, ..., k_n]: one payoff tensor per player, all of one shape.

    Raises:
        InvalidValue: If there is no player, shapes differ, an axis is empty or the number of axes is not n.
        NumericalError: If an entry is not finite; the message gives its place.
    """
    arrays = [np.asarray(p, dtype=np.float64) for p in payoffs]  # type: ignore[union-attr]
    if not arrays:
        raise InvalidValue(f"{name} must hold one tensor per player, got none")
    shapes = {a.shape for a in arrays}
    if len(shapes) != 1:
        raise InvalidValue(f"{name} of all players must have one shape, got {sorted(shapes)}")
    shape = arrays[0].shape
    if len(shape) != len(arrays):
        raise InvalidValue(f"{name} of {len(arrays)} players need {len(arrays)} axes each, got shape {shape}")
    if 0 in shape:
        raise InvalidValue(f"{name}: every player needs at least one strategy, got shape {shape}")
    tensor = np.stack(arrays)
    check_finite(tensor, name)
    return tensor


def check_finite(values: FloatArray, name: str) -> None:
    """Raise ``NumericalError`` with the place of the first entry that is not finite."""
    bad = np.argwhere(~np.isfinite(values))
    if len(bad):
        place = tuple(int(i) for i in bad[0])
        raise NumericalError(name, float(values[place]), where=f"entry {list(place)}, {len(bad)} such entries")


def distribution(values: ArrayLike, size: int | tuple[int, ...], name: str) -> FloatArray:
    """Return a float64 copy with entries >= 0 and sum 1 (tolerance 1e-9), or raise by name."""
    x = np.array(values, dtype=np.float64)
    shape = size if isinstance(size, tuple) else (size,)
    if x.shape != shape:
        raise InvalidValue(f"{name} must have shape {shape}, got {x.shape}")
    check_finite(x, name)
    if x.min() < 0 or abs(x.sum() - 1) > SUM_TOLERANCE:
        raise InvalidValue(
            f"{name} must be a distribution: entries >= 0 with sum 1, got minimum {float(x.min())!r} and "
            f"sum {float(x.sum())!r}"
        )
    return x
