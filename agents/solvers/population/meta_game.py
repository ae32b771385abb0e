"""Empirical meta-games: the payoffs between populations of policies.

A meta-solver sees a ``MetaGame`` only: sizes, payoff vectors against mixtures, the dense payoffs on
demand, and ``arrays()`` for compiled solvers.  ``DenseMetaGame`` holds payoff tensors given by the
caller (any normal-form game); ``plan_game.PlanMetaGame`` computes exact payoffs from realisation
plans and needs no tensor.

Reference: Lanctot et al. (2017), A Unified Game-Theoretic Approach to Multiagent RL, arXiv
1711.00832; Wellman (2006), Methods for empirical game-theoretic analysis.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike

from equilibria.agents.solvers.population.arrays import MATRIX, TENSOR, MetaArrays, offsets_of
from equilibria.sim.errors import InvalidValue, NumericalError
from equilibria.sim.types import FloatArray, IntArray

_SUM_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class MetaStrategy:
    """What a meta-solver returns.

    Attributes:
        marginals: One distribution [k_p] per player.
        joint: Distribution [k_1, ..., k_n] over joint policies for correlated solvers, else ``None``;
            ``marginals`` are then its marginals.
        solver: Name of the meta-solver that made it.
    """

    marginals: tuple[FloatArray, ...]
    joint: FloatArray | None = None
    solver: str = ""

    @classmethod
    def from_joint(cls, joint: FloatArray, solver: str) -> MetaStrategy:
        """Build from a joint distribution [k_1, ..., k_n]; negative round-off is clipped."""
        clean = np.maximum(joint, 0.0)
        clean /= clean.sum()
        axes = range(clean.ndim)
        marginals = tuple(clean.sum(axis=tuple(a for a in axes if a != p)) for p in axes)
        return cls(tuple(m / m.sum() for m in marginals), clean, solver)

    @property
    def flat(self) -> FloatArray:
        """[K] marginals of all players one after the other."""
        return np.concatenate(self.marginals)


class MetaGame(Protocol):
    """Payoffs between populations."""

    @property
    def players(self) -> int:
        """Number n of players."""
        ...

    @property
    def sizes(self) -> IntArray:
        """[n] policies per player."""
        ...

    @property
    def constant_sum(self) -> float | None:
        """Sum of payoffs if it is the same for all joint policies, else ``None``."""
        ...

    @property
    def scale(self) -> float:
        """Largest magnitude of a payoff, or 1 when all are zero."""
        ...

    def arrays(self) -> MetaArrays:
        """Return the representation that compiled solvers read; valid until the next ``extend``."""
        ...

    def values(self, player: int, marginals: Sequence[FloatArray]) -> FloatArray:
        """Return [k_p]: payoff of each policy of ``player`` against the others' mixtures."""
        ...

    def payoffs(self) -> tuple[FloatArray, ...]:
        """Return one dense payoff tensor [k_1, ..., k_n] per player (built on demand)."""
        ...


def check_payoffs(payoffs: Sequence[ArrayLike]) -> tuple[FloatArray, ...]:
    """Return payoff tensors as float64 arrays.

    Raises:
        InvalidValue: If there are fewer than two tensors, shapes differ, the number of axes is not
            the number of players, or some but not all populations are empty.
        NumericalError: If an entry is not finite; the message gives its index.
    """
    tensors = tuple(np.ascontiguousarray(t, dtype=np.float64) for t in payoffs)
    n = len(tensors)
    if n < 2:
        raise InvalidValue(f"a meta-game needs one payoff tensor per player and at least 2 players, got {n}")
    for p, tensor in enumerate(tensors):
        if tensor.ndim != n or tensor.shape != tensors[0].shape:
            raise InvalidValue(
                f"payoff tensor of player {p} has shape {tensor.shape}; expected {n} axes and the shape "
                f"{tensors[0].shape} of player 0's tensor"
            )
        bad = np.argwhere(~np.isfinite(tensor))
        if bad.size:
            place = tuple(int(i) for i in bad[0])
            raise NumericalError(f"payoff of player {p}", float(tensor[place]), where=f"joint policy {place}")
    check_sizes(np.array(tensors[0].shape, dtype=np.int64))
    return tensors


def check_sizes(sizes: IntArray) -> None:
    """Raise ``InvalidValue`` when some populations are empty and others are not."""
    if (sizes == 0).any() and not (sizes == 0).all():
        empty = int(np.flatnonzero(sizes == 0)[0])
        raise InvalidValue(f"population of player {empty} is empty (sizes {sizes.tolist()}); give it at least 1 policy")


def check_mixture(marginals: Sequence[ArrayLike], sizes: IntArray) -> tuple[FloatArray, ...]:
    """Return a profile of mixtures as float64 arrays.

    Raises:
        InvalidValue: If a length, sign or sum is wrong.
    """
    mixtures = tuple(np.ascontiguousarray(m, dtype=np.float64) for m in marginals)
    if len(mixtures) != sizes.shape[0]:
        raise InvalidValue(f"a profile needs {sizes.shape[0]} mixtures, got {len(mixtures)}")
    for p, mixture in enumerate(mixtures):
        if mixture.shape != (sizes[p],):
            raise InvalidValue(f"mixture of player {p} has shape {mixture.shape}, expected ({sizes[p]},)")
        # `not >=` and `not <=` also catch not-a-number
        if mixture.size and not (mixture.min() >= -_SUM_TOLERANCE and abs(mixture.sum() - 1.0) <= _SUM_TOLERANCE):
            raise InvalidValue(
                f"mixture of player {p} is no distribution: smallest entry {mixture.min()!r}, sum {mixture.sum()!r}"
            )
    return mixtures


def split(flat: FloatArray, sizes: IntArray) -> tuple[FloatArray, ...]:
    """Cut a flat vector [K] into one array [k_p] per player."""
    return tuple(np.split(flat, np.cumsum(sizes)[:-1]))


class DenseMetaGame:
    """A meta-game (or any normal-form game) given by one payoff tensor per player.

    Args:
        payoffs: n tensors, each of shape [k_1, ..., k_n].  For two players a single matrix means a
            zero-sum game: ``DenseMetaGame([a])`` is ``DenseMetaGame([a, -a])``.

    Raises:
        InvalidValue: On wrong shapes (see ``check_payoffs``).
        NumericalError: If a payoff is not finite.

    Example:
        >>> game = DenseMetaGame([[[2.0, -1.0], [-1.0, 1.0]]])
        >>> game.values(0, [[0.5, 0.5], [0.4, 0.6]]).round(6).tolist()
        [0.2, 0.2]
    """

    def __init__(self, payoffs: Sequence[ArrayLike]) -> None:
        if len(payoffs) == 1:
            matrix = np.asarray(payoffs[0], dtype=np.float64)
            payoffs = [matrix, -matrix]
        self._payoffs = check_payoffs(payoffs)
        self._sizes = np.array(self._payoffs[0].shape, dtype=np.int64)
        self._arrays = dense_arrays(self._payoffs)

    @property
    def players(self) -> int:
        """Number n of players."""
        return len(self._payoffs)

    @property
    def sizes(self) -> IntArray:
        """[n] policies per player."""
        return self._sizes

    @property
    def constant_sum(self) -> float | None:
        """Sum of payoffs if constant within 1e-9 of the scale, else ``None``."""
        return constant_sum(self._payoffs, self.scale)

    @property
    def scale(self) -> float:
        """Largest magnitude of a payoff, or 1 when all are zero."""
        top = max((float(np.abs(t).max()) for t in self._payoffs if t.size), default=0.0)
        return top or 1.0

    def arrays(self) -> MetaArrays:
        """Return the kernel form: two matrices for two players, flat tensors otherwise."""
        return self._arrays

    def values(self, player: int, marginals: Sequence[ArrayLike]) -> FloatArray:
        """Return [k_p] payoffs of each policy of ``player`` against the others' mixtures."""
        return values_against(self._arrays, player, check_mixture(marginals, self._sizes))

    def payoffs(self) -> tuple[FloatArray, ...]:
        """Return the payoff tensors."""
        return self._payoffs


def constant_sum(payoffs: Sequence[FloatArray], scale: float) -> float | None:
    """Return the common sum of payoffs, or ``None`` if it varies by more than 1e-9 of ``scale``."""
    total = np.sum(np.stack(payoffs), axis=0)
    if total.size == 0:
        return 0.0
    low, high = float(total.min()), float(total.max())
    return 0.5 * (low + high) if high - low <= 1e-9 * scale * len(payoffs) else None


def dense_arrays(payoffs: Sequence[FloatArray]) -> MetaArrays:
    """Return the kernel form of dense payoffs."""
    sizes = np.array(payoffs[0].shape, dtype=np.int64)
    empty2, empty1, none = np.zeros((0, 0)), np.zeros(0), np.zeros(0, np.uint32)
    matrix = len(payoffs) == 2
    return MetaArrays(
        kind=MATRIX if matrix else TENSOR,
        sizes=sizes,
        offsets=offsets_of(sizes),
        rows=np.ascontiguousarray(payoffs[0].T) if matrix else empty2,
        cols=np.ascontiguousarray(payoffs[1]) if matrix else empty2,
        tensor=empty1 if matrix else np.concatenate([t.ravel() for t in payoffs]),
        plans=empty2,
        x=empty1,
        g=empty1,
        seq_off=none,
        rowptr=none,
        col=np.zeros((0, 0), np.uint32),
        val=empty1,
    )


def values_against(arrays: MetaArrays, player: int, marginals: Sequence[FloatArray]) -> FloatArray:
    """Return [k_p] payoffs of each policy of ``player`` (compiled, any representation)."""
    from equilibria.agents.solvers.population.kernels import values_of

    out = np.zeros(int(arrays.sizes[player]))
    values_of(arrays, player, np.concatenate(list(marginals)), out)
    return out
