"""What couples the arms of a restless bandit: which sets of controls may be used together in a step.

A control is a pull of an arm, or an intervention that reaches several arms.  Each coupling says whether a set is
allowed, lists the allowed sets of small instances, finds the set with the largest sum of scores, and writes itself as
linear rows with further variables: integer programs over actions and the relaxed bound use the same rows.

* **Capacity**: pulled arms have costs and are packed into workers' capacities.
* **Schedule**: each pulled arm needs a worker of its own with whom it shares a time slot.
* **Path**: a closed walk from a source along the edges of a graph visits the pulled arms; walk and pulls are limited.
* **Count**: at most so many controls.

Source: Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919, the four domains.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Protocol

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import coo_array, csr_array

from equilibria.games.decisions import restless_kernels as kernels
from equilibria.games.decisions.walks import Walks
from equilibria.sim.errors import GameTooLarge, InvalidValue, NumericalError
from equilibria.sim.types import AnyArray, BoolArray, FloatArray, IntArray

LISTED = 16
"""Most controls whose packings, matchings or walks are listed."""
LISTED_SETS = 200_000
"""Most sets that are listed at all."""
NODES = 2_000_000
"""Nodes after which the packing search keeps the best set found."""


@dataclass(frozen=True, slots=True, eq=False)
class Program:
    """Rows low <= matrix @ (controls, further variables) <= high.

    Attributes:
        matrix: [rows, C + E], sparse.
        low: float64 [rows].
        high: float64 [rows].
        upper: float64 [E] upper bounds of the further variables, which are integers of at least 0.
    """

    matrix: csr_array
    low: FloatArray
    high: FloatArray
    upper: FloatArray


class Coupling(Protocol):
    """The controls that may be used together; subsets of allowed sets are allowed."""

    @property
    def controls(self) -> int:
        """Number C of controls."""
        ...

    def allows(self, chosen: BoolArray) -> bool:
        """Say whether a set bool [C] is allowed."""
        ...

    def sets(self) -> IntArray:
        """Return all allowed sets as ascending bit masks.

        Raises:
            GameTooLarge: If there are too many.
        """
        ...

    def best(self, score: FloatArray) -> tuple[BoolArray, bool]:
        """Return the allowed set bool [C] with the largest sum of scores, and whether that is proven."""
        ...

    def program(self) -> Program:
        """Return the coupling as linear rows."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Capacity:
    """Packing of arms with costs int64 [J] into capacities int64 [n].

    Raises:
        InvalidValue: If a cost is below 1 or a capacity below 0.
    """

    cost: IntArray
    capacity: IntArray

    def __post_init__(self) -> None:
        if self.cost.ndim != 1 or self.cost.min() < 1 or self.capacity.ndim != 1 or self.capacity.min(initial=0) < 0:
            raise InvalidValue("costs must be at least 1 with shape [J], capacities at least 0")

    @property
    def controls(self) -> int:
        """Number of arms."""
        return int(self.cost.size)

    def allows(self, chosen: BoolArray) -> bool:
        """Say whether the arms can be packed."""
        if self.controls > 62:
            return bool(self.best(np.where(chosen, 1.0, 0.0))[0].sum() == np.sum(chosen))
        return bool(kernels.packs(mask_of(chosen), self.cost, self.capacity))

    def sets(self) -> IntArray:
        """Return all packable sets (at most 16 arms)."""
        _listed(self.controls)
        return np.asarray(kernels.sets(self.cost, self.capacity, np.zeros((0, 0), np.bool_), True), np.int64)

    def best(self, score: FloatArray) -> tuple[BoolArray, bool]:
        """Search depth first with bounds."""
        chosen, proven = kernels.best_packed(np.ascontiguousarray(score), self.cost, self.capacity, NODES)
        return np.asarray(chosen, np.bool_), bool(proven)

    def program(self) -> Program:
        """Return the rows of an assignment of arms to workers with room."""
        room = self.capacity.astype(np.float64)
        return _assigned(self.cost[:, None] <= self.capacity[None, :], self.cost.astype(np.float64), room)


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """Matching of arms and workers that share a time slot, bool [J, n].

    Raises:
        InvalidValue: If the shape is not [J, n].
    """

    fits: BoolArray

    def __post_init__(self) -> None:
        if self.fits.ndim != 2:
            raise InvalidValue(f"fits must have shape [J, n], got {self.fits.shape}")

    @property
    def controls(self) -> int:
        """Number of arms."""
        return int(self.fits.shape[0])

    def allows(self, chosen: BoolArray) -> bool:
        """Say whether the arms can be matched."""
        if self.controls > 62:
            return bool(self.best(np.where(chosen, 1.0, 0.0))[0].sum() == np.sum(chosen))
        return bool(kernels.matches(mask_of(chosen), self.fits))

    def sets(self) -> IntArray:
        """Return all sets that can be matched (at most 16 arms)."""
        _listed(self.controls)
        one = np.ones(self.controls, np.int64)
        return np.asarray(kernels.sets(one, np.zeros(0, np.int64), self.fits, False), np.int64)

    def best(self, score: FloatArray) -> tuple[BoolArray, bool]:
        """Take arms by falling score, which is optimal on a matroid."""
        return np.asarray(kernels.best_matched(np.ascontiguousarray(score), self.fits), np.bool_), True

    def program(self) -> Program:
        """Return the rows of a matching."""
        return _assigned(self.fits, np.ones(self.controls), np.ones(self.fits.shape[1]))


@dataclass(frozen=True, slots=True, eq=False)
class Path:
    """Arms on a closed walk of at most ``length`` edges from ``source``; at most ``most`` of them are pulled.

    Args:
        edges: bool [J, J], symmetric.
        source: Arm at which the walk begins and ends; it counts as visited.
        length: Most edges, at least 0.
        most: Most pulls.

    Raises:
        InvalidValue: If the graph is not symmetric or a number is out of range.
    """

    edges: BoolArray
    source: int
    length: int
    most: int
    walks: Walks = field(init=False)

    def __post_init__(self) -> None:
        arms = self.edges.shape[0]
        if self.edges.shape != (arms, arms) or (self.edges != self.edges.T).any():
            raise InvalidValue(f"edges must be a symmetric matrix [J, J], got shape {self.edges.shape}")
        if not 0 <= self.source < arms or self.length < 0 or self.most < 0:
            raise InvalidValue(
                f"source must lie in 0..{arms - 1}, length and most be at least 0, got {self.source}, {self.length}, {self.most}"
            )
        object.__setattr__(self, "walks", Walks(self.edges, self.source, self.length))

    @property
    def controls(self) -> int:
        """Number of arms."""
        return int(self.edges.shape[0])

    def allows(self, chosen: BoolArray) -> bool:
        """Say whether a walk visits the arms."""
        arms = np.flatnonzero(chosen)
        if arms.size > self.most:
            return False
        known = self.walks.visits(arms)
        if known is not None:
            return known
        fixed = np.zeros(self.controls)
        fixed[arms] = 1.0
        return _solved(self.program(), np.zeros(self.controls), fixed) is not None

    def sets(self) -> IntArray:
        """Return all sets of at most ``most`` arms on a walk (at most 16 arms)."""
        _listed(self.controls)
        return self.walks.sets(self.most)

    def best(self, score: FloatArray) -> tuple[BoolArray, bool]:
        """Search the walks; exact where they are few, else the best of a beam."""
        return self.walks.best(np.asarray(score, np.float64), self.most)

    def program(self) -> Program:
        """Return the rows of a unit flow through the graph, unrolled over the steps of the walk; waiting is allowed."""
        arms, length = self.controls, self.length
        start, end = (x.astype(np.int64) for x in np.nonzero(self.edges | np.eye(arms, dtype=np.bool_)))
        count = start.size
        rows = _Rows(arms + count * length)
        upper = np.ones((length, count))
        for t in range(length):
            place = arms + t * count + np.arange(count)
            for j in range(arms if t + 1 < length else 0):  # what enters an arm leaves it in the next step
                rows.add([*place[end == j], *(place[start == j] + count)],
                         [1.0] * int((end == j).sum()) + [-1.0] * int((start == j).sum()), 0.0, 0.0)  # fmt: skip
        if length:
            upper[0, start != self.source] = 0.0
            upper[-1, end != self.source] = 0.0
            rows.add((arms + np.flatnonzero(start == self.source)).tolist(), None, 1.0, 1.0)
        for j in range(arms):
            if j == self.source:
                continue
            into = (arms + np.arange(length)[:, None] * count + np.flatnonzero(end == j)[None, :]).ravel()
            rows.add([j, *into], [1.0] + [-1.0] * into.size, -np.inf, 0.0)
        rows.add(list(range(arms)), None, -np.inf, float(self.most))
        return rows.program(upper.ravel())


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """At most ``most`` of ``controls`` interventions."""

    controls: int
    most: int

    def allows(self, chosen: BoolArray) -> bool:
        """Say whether there are few enough."""
        return int(np.sum(chosen)) <= self.most

    def sets(self) -> IntArray:
        """Return all sets of at most ``most``."""
        found = [0]
        for k in range(1, min(self.most, self.controls) + 1):
            for c in combinations(range(self.controls), k):
                found.append(sum(1 << i for i in c))
                if len(found) > LISTED_SETS:
                    raise GameTooLarge(
                        f"at most {LISTED_SETS} sets are listed; {self.controls} choose {self.most} has more"
                    )
        return np.sort(np.array(found, np.int64))

    def best(self, score: FloatArray) -> tuple[BoolArray, bool]:
        """Take the largest positive scores."""
        chosen = np.zeros(self.controls, np.bool_)
        order = np.argsort(-np.asarray(score), kind="stable")[: self.most]
        chosen[order[np.asarray(score)[order] > 0.0]] = True
        return chosen, True

    def program(self) -> Program:
        """Return one row."""
        rows = _Rows(self.controls)
        rows.add(list(range(self.controls)), None, -np.inf, float(self.most))
        return rows.program(np.zeros(0))


def mask_of(chosen: Iterable[Any]) -> int:
    """Return a set bool [C] as a bit mask."""
    return int(sum(1 << int(j) for j in np.flatnonzero(np.asarray(chosen))))


def in_order(coupling: Coupling, order: AnyArray) -> BoolArray:
    """Use controls in an order, those that fit with the earlier ones; returns bool [C]."""
    chosen = np.zeros(coupling.controls, np.bool_)
    for j in order:
        chosen[j] = True
        if not coupling.allows(chosen):
            chosen[j] = False
    return chosen


def solve_program(program: Program, score: FloatArray) -> BoolArray:
    """Return the allowed set with the largest sum of scores [C] by an integer program.

    Raises:
        NumericalError: If the solver gives up.
    """
    found = _solved(program, score, None)
    if found is None:
        raise NumericalError("program over sets", float("nan"), where="the integer program has no solution")
    return np.asarray(found[: score.size] > 0.5)


def _solved(program: Program, score: FloatArray, fixed: FloatArray | None) -> FloatArray | None:
    controls, low = score.size, np.zeros(program.matrix.shape[1])
    if fixed is not None:
        low[:controls] = fixed
    found = milp(
        -np.concatenate([score, np.zeros(program.upper.size)]), integrality=np.ones(low.size),
        bounds=Bounds(low, np.concatenate([np.ones(controls), program.upper])),
        constraints=LinearConstraint(program.matrix, program.low, program.high),
    )  # fmt: skip
    return None if found.x is None else np.asarray(found.x, np.float64)


class _Rows:
    """Collects sparse rows."""

    def __init__(self, columns: int) -> None:
        self._columns = columns
        self._row: list[int] = []
        self._col: list[int] = []
        self._data: list[float] = []
        self._low: list[float] = []
        self._high: list[float] = []

    def add(self, columns: list[int], data: list[float] | None, low: float, high: float) -> None:
        self._row += [len(self._low)] * len(columns)
        self._col += [int(c) for c in columns]
        self._data += [1.0] * len(columns) if data is None else data
        self._low.append(low)
        self._high.append(high)

    def program(self, upper: FloatArray) -> Program:
        shape = (len(self._low), self._columns)
        made = coo_array((np.array(self._data, np.float64), (self._row, self._col)), shape=shape)
        return Program(matrix=made.tocsr(), low=np.array(self._low), high=np.array(self._high), upper=upper)


def _assigned(usable: BoolArray, weight: FloatArray, room: FloatArray) -> Program:
    """Rows that give each chosen arm a usable worker, within the workers' room."""
    arm, worker = np.nonzero(usable)
    arms, pairs = usable.shape[0], arm.size
    rows = _Rows(arms + pairs)
    for j in range(arms):
        own = arms + np.flatnonzero(arm == j)
        rows.add([j, *own], [1.0] + [-1.0] * own.size, -np.inf, 0.0)
    for i in range(usable.shape[1]):
        own = np.flatnonzero(worker == i)
        rows.add((arms + own).tolist(), weight[arm[own]].tolist(), -np.inf, float(room[i]))
    return rows.program(np.ones(pairs))


def _listed(controls: int) -> None:
    if controls > LISTED:
        raise GameTooLarge(f"feasible sets are listed for at most {LISTED} arms, got {controls}")
