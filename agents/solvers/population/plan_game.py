"""The exact meta-game of populations of realisation plans.

A policy is a realisation plan, so a mixture of policies is the mixture of plans (draw one policy
before the game), a payoff is an inner product with a counterfactual gradient, and the payoff vector
of a whole population against mixtures costs one gradient and one matrix product.  Two players keep
two matrices that grow by one row and column; more players keep tensors while they are small and
switch to the tensor-free operator when

    prod k_p > 4 (n M + sum k_p S_p)      M merged terminals, S_p sequences of player p.

Both agree to rounding.  Memory: 8 C (S + ...) bytes for C policies; 16 C S with two players, where
the gradient against every policy is kept, too.

Reference: von Stengel (1996) for realisation plans; McMahan, Gordon, Blum (2003) for the double
oracle on them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from equilibria.agents.solvers.population import plan_kernels
from equilibria.agents.solvers.population.arrays import MATRIX, OPERATOR, TENSOR, MetaArrays, offsets_of
from equilibria.agents.solvers.population.meta_game import check_mixture, values_against
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.kernels import gradient_rows
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.types import FloatArray, IntArray

Representation: TypeAlias = Literal["auto", "tensor", "operator"]
_CAPACITY = 16
MAX_ENTRIES = 200_000_000
"""Largest tensor (entries of all players) that is built when a meta-solver needs one."""


class PlanMetaGame:
    """Populations of realisation plans of an extensive-form game and their exact payoffs.

    Args:
        game: The game.
        representation: ``"auto"`` chooses between tensor and operator by the rule above;
            ``"tensor"`` and ``"operator"`` force one.

    Raises:
        InvalidValue: If ``representation`` is unknown or the game has fewer than two players.
    """

    def __init__(self, game: ExtensiveGame, *, representation: Representation = "auto") -> None:
        if representation not in ("auto", "tensor", "operator"):
            raise InvalidValue(f"representation must be 'auto', 'tensor' or 'operator', got {representation!r}")
        if game.players < 2:
            raise InvalidValue(f"a meta-game needs at least 2 players; {game.name!r} has {game.players}")
        self.game = game
        self.representation: Representation = representation
        self._sizes = np.zeros(game.players, np.int64)
        self._plans = np.zeros((_CAPACITY, game.arrays.sequences))
        two = game.players == 2
        self._gradients = np.zeros_like(self._plans) if two else np.zeros((0, 0))
        self._rows = np.zeros((_CAPACITY, _CAPACITY)) if two else np.zeros((0, 0))
        self._cols = self._rows.copy()
        self._filled = np.zeros(game.players, np.int64)
        self._tensor = np.zeros(0)
        self._x, self._g = np.zeros(game.arrays.sequences), np.zeros(game.arrays.sequences)

    @property
    def players(self) -> int:
        """Number n of players."""
        return self.game.players

    @property
    def sizes(self) -> IntArray:
        """[n] policies per player."""
        return self._sizes.copy()

    @property
    def constant_sum(self) -> float | None:
        """Sum of payoffs if the game is constant-sum."""
        return self.game.constant_sum

    @property
    def scale(self) -> float:
        """Largest magnitude of a terminal utility, or 1 when all are zero."""
        return max(abs(self.game.utility_min), abs(self.game.utility_max)) or 1.0

    def plans(self, player: int) -> FloatArray:
        """Return a copy of the plans [k_p, S_p] of a player."""
        return self._plans[: self._sizes[player], self._range(player)].copy()

    def add(self, player: int, plan: FloatArray) -> int:
        """Append a policy and return its index.

        Args:
            player: Whose policy.
            plan: [S_p] realisation plan.

        Raises:
            InvalidValue: If the shape is wrong or the plan does not conserve probability.
        """
        self._check_plan(player, plan)
        index = int(self._sizes[player])
        if index == self._plans.shape[0]:
            self._grow()
        self._plans[index, self._range(player)] = plan
        self._sizes[player] += 1
        if self.players == 2:
            self._store_gradient(player, index)
        return index

    def arrays(self) -> MetaArrays:
        """Return what compiled solvers read, in the representation chosen for the present sizes."""
        kind = self._kind()
        if kind == MATRIX:
            self._fill_matrices()
        elif kind == TENSOR:
            self._fill_tensor()
        a = self.game.arrays
        return MetaArrays(
            kind=kind,
            sizes=self.sizes,
            offsets=offsets_of(self._sizes),
            rows=self._rows,
            cols=self._cols,
            tensor=self._tensor if kind == TENSOR else np.zeros(0),
            plans=self._plans,
            x=self._x,
            g=self._g,
            seq_off=a.seq_off,
            rowptr=a.rowptr,
            col=a.col,
            val=a.val,
        )

    def values(self, player: int, marginals: Sequence[ArrayLike]) -> FloatArray:
        """Return [k_p] payoffs of each policy of ``player`` against the others' mixtures."""
        return values_against(self.arrays(), player, check_mixture(marginals, self._sizes))

    def payoffs(self) -> tuple[FloatArray, ...]:
        """Return the dense payoff tensors [k_1, ..., k_n], building them if need be.

        Raises:
            GameTooLarge: If they have more than ``MAX_ENTRIES`` entries.
        """
        if self.players == 2:
            self._fill_matrices()
            k0, k1 = self._sizes
            return np.ascontiguousarray(self._rows[:k1, :k0].T), self._cols[:k0, :k1].copy()
        entries = self.players * int(np.prod(self._sizes))
        if entries > MAX_ENTRIES:
            raise GameTooLarge(
                f"the meta-game of sizes {self._sizes.tolist()} has {entries} payoff entries (limit {MAX_ENTRIES}); "
                "use a meta-solver that works without the tensor: shor, pm, rm, rm+, prd, fp, uniform"
            )
        self._fill_tensor()
        return tuple(self._tensor.reshape(self.players, *self._sizes))

    def mixture_plan(self, marginals: Sequence[FloatArray]) -> FloatArray:
        """Return the realisation plans [S] of the profile of mixtures."""
        x = np.empty(self.game.arrays.sequences)
        for p, mixture in enumerate(check_mixture(marginals, self._sizes)):
            x[self._range(p)] = mixture @ self._plans[: self._sizes[p], self._range(p)]
        return x

    def uses_tensor(self) -> bool:
        """Return whether the present sizes are represented by dense payoffs."""
        return self._kind() != OPERATOR

    def _kind(self) -> int:
        dense = MATRIX if self.players == 2 else TENSOR
        if self.representation != "auto":
            return dense if self.representation == "tensor" else OPERATOR
        a = self.game.arrays
        offsets = a.seq_off.astype(np.int64)
        widths = offsets[1:] - offsets[:-1]
        bound = 4 * (a.players * a.merged + int(self._sizes @ widths))
        # the matrices of two players are kept anyway
        return dense if self.players == 2 or int(np.prod(self._sizes)) <= bound else OPERATOR

    def _range(self, player: int) -> slice:
        off = self.game.arrays.seq_off
        return slice(int(off[player]), int(off[player + 1]))

    def _grow(self) -> None:
        capacity = 2 * self._plans.shape[0]
        self._plans = _padded(self._plans, (capacity, self._plans.shape[1]))
        if self.players == 2:
            self._gradients = _padded(self._gradients, (capacity, self._plans.shape[1]))
            self._rows = _padded(self._rows, (capacity, capacity))
            self._cols = _padded(self._cols, (capacity, capacity))

    def _store_gradient(self, player: int, index: int) -> None:
        a, other = self.game.arrays, 1 - player
        lo, hi = a.seq_off[other], a.seq_off[other + 1]
        gradient_rows(a.rowptr, a.col, a.val, self._plans[index], self._gradients[index], lo, hi)

    def _fill_matrices(self) -> None:
        if (self._filled < self._sizes).any():
            plan_kernels.fill_matrices(
                self.game.arrays.seq_off,
                self._plans,
                self._gradients,
                self._filled,
                self._sizes,
                self._rows,
                self._cols,
            )
            self._filled = self.sizes

    def _fill_tensor(self) -> None:
        if (self._filled == self._sizes).all():
            return
        a, old, n = self.game.arrays, self._filled, self.players
        grown = np.zeros((n, *self._sizes))
        if self._tensor.size:
            grown[(slice(None), *(slice(k) for k in old))] = self._tensor.reshape(n, *old)
        self._tensor = grown.ravel()
        plan_kernels.fill_tensor(
            a.seq_off, a.rowptr, a.col, a.val, self._plans, old, self._sizes, self._x, self._g, self._tensor
        )
        self._filled = self.sizes

    def _check_plan(self, player: int, plan: FloatArray) -> None:
        if not 0 <= player < self.players:
            raise InvalidValue(f"player must lie in 0..{self.players - 1}, got {player!r}")
        a, span = self.game.arrays, self._range(player)
        if plan.shape != (span.stop - span.start,):
            raise InvalidValue(f"plan of player {player} has shape {plan.shape}, expected ({span.stop - span.start},)")
        own = slice(int(a.iset_off[player]), int(a.iset_off[player + 1]))
        first, parent = a.first[own].astype(np.int64) - span.start, a.parent[own].astype(np.int64) - span.start
        outflow = np.add.reduceat(plan, first) if first.size else np.zeros(0)
        # `not all(<=)` also catches not-a-number
        if not (plan[0] == 1.0 and (plan >= 0).all() and (np.abs(outflow - plan[parent]) <= 1e-9).all()):
            raise InvalidValue(
                f"plan of player {player} is no realisation plan: it must start with 1, be non-negative and split the "
                "weight of each parent sequence over the actions of the infoset"
            )


def _padded(array: FloatArray, shape: tuple[int, int]) -> FloatArray:
    out = np.zeros(shape)
    out[: array.shape[0], : array.shape[1]] = array
    return out
