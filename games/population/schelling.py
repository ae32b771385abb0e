"""Schelling's segregation: agents leave cells with too few neighbours of their own group.

**State.** A width x height torus; floor(density * cells) cells hold one agent each, the others are
empty.  Agent i has a fixed group.  Groups are dealt in proportion to ``shares`` (largest remainders)
and all agents placed at random at period 0.

**Happiness.** Neighbours are the agents in the square of side 2 * radius + 1 around the cell.  With a
occupied neighbours, of which s are of the own group, the agent is happy iff s >= homophily * a, decided
in exact arithmetic on the nearest decimal reading of the threshold; who has no neighbours is happy.

**One period.**
  - ``random-sequential``: in a fresh uniformly random order each agent that is unhappy at its turn
    moves to a uniformly random empty cell; its old cell becomes empty at once.
  - ``simultaneous``: all unhappy agents of the period's start move to different cells that were
    empty at its start, all assignments being equally likely; if there are more of them than empty
    cells, a uniformly random part moves and the others stay.

**Equilibrium.** Locations are a game: the payoff is 1 for happy and 0 for unhappy, an action is a
move to an empty cell.  An agent gains iff it is unhappy and would be happy in some empty cell after
having left its own.  The certificate is the exact share of such agents; 0 is a Nash equilibrium.

Source: T. C. Schelling, Dynamic models of segregation, Journal of Mathematical Sociology 1 (1971)
143-186.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import ClassVar

import numpy as np

from equilibria.games.population import schelling_kernels as kernels
from equilibria.games.population.settings import SchellingSettings
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray, Int32Array, IntArray


def needed(homophily: float, neighbours: int) -> IntArray:
    """Return int64 [neighbours + 1]: the smallest number of like among a occupied ones that satisfies.

    The threshold is read as the decimal number that the user wrote (0.3 is 3/10), so that 3 like of
    10 satisfy 0.3 although the nearest binary number lies off it.
    """
    threshold = Fraction(repr(float(homophily)))
    return np.array([-(-a * threshold.numerator // threshold.denominator) for a in range(neighbours + 1)], np.int64)


def group_sizes(agents: int, shares: tuple[float, ...]) -> IntArray:
    """Return int64 [G], summing to ``agents``: shares by largest remainders, ties to the first group."""
    exact = np.array(shares) * agents
    sizes = np.floor(exact).astype(np.int64)
    rest = agents - int(sizes.sum())
    sizes[np.argsort(sizes - exact, kind="stable")[:rest]] += 1
    return np.asarray(sizes, np.int64)


class Schelling:
    """The segregation world; see the module for the model.

    Cost: (2 radius + 1)^2 reads of one byte per agent and period.
    """

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("group", "row", "column", "like", "occupied")

    def __init__(self, settings: SchellingSettings) -> None:
        self._settings = settings
        cells = settings.width * settings.height
        agents = int(settings.density * cells)
        sizes = group_sizes(agents, settings.shares)
        self._group = np.repeat(np.arange(sizes.size, dtype=np.int8), sizes)
        self._need = needed(settings.homophily, (2 * settings.radius + 1) ** 2 - 1)
        self._board = np.zeros(cells, np.int8)
        self._cell = np.arange(agents, dtype=np.int32)
        self._empty = np.arange(agents, cells, dtype=np.int32)
        self._scratch = np.empty(agents, np.int32)
        self._key = np.uint64(0)

    @property
    def agents(self) -> int:
        """Number of agents."""
        return int(self._cell.size)

    def reset(self, seeds: SeedTree) -> None:
        """Put all agents on random cells."""
        self._key = seeds.child("moves").key()
        places = seeds.child("places").generator().permutation(self._board.size).astype(np.int32)
        self._cell[:], self._empty[:] = places[: self.agents], places[self.agents :]
        self._fill_board()

    def run(self, first: int, steps: int) -> None:
        """Perform periods ``first .. first + steps - 1``."""
        s = self._settings
        step: Callable[..., None] = kernels.run_at_once if s.activation == "simultaneous" else kernels.run_in_order
        step(
            self._board, self._cell, self._empty, self._need, self._scratch, s.width, s.radius, self._key, first, steps
        )

    def columns(self) -> Mapping[str, AnyArray]:
        """Return ``group`` int8, ``row``, ``column``, ``like`` and ``occupied`` (neighbours) int32 [N]."""
        row, column = np.divmod(self._cell, np.int32(self._settings.width))
        like, occupied = self._neighbours()
        return {"group": self._group, "row": row, "column": column, "like": like, "occupied": occupied}

    def like_shares(self) -> FloatArray:
        """Return the share of like neighbours of each agent that has neighbours, float64 [<= N]."""
        like, occupied = self._neighbours()
        social = occupied > 0
        return np.asarray(like[social] / occupied[social], dtype=np.float64)

    def segregation_index(self) -> float:
        """Return the mean share of like neighbours over the agents that have neighbours, 0 if none has."""
        shares = self.like_shares()
        return float(shares.mean()) if shares.size else 0.0

    def unhappy_share(self) -> float:
        """Return the share of unhappy agents."""
        like, occupied = self._neighbours()
        return int((like < self._need[occupied]).sum()) / self.agents

    def save(self) -> State:
        """Return places, the list of empty cells in its order, and the key."""
        arrays = {"cell": self._cell.copy(), "empty": self._empty.copy(), "key": np.array([self._key])}
        return State(arrays)

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._cell[:], self._empty[:] = state.arrays["cell"], state.arrays["empty"]
        self._key = np.uint64(state.arrays["key"][0])
        self._fill_board()

    def certificate(self) -> Certificate:
        """Return the exact share of agents who would gain by moving."""
        s = self._settings
        unhappy, gainers = kernels.count_gainers(
            self._board, self._cell, self._empty, self._need, len(s.shares), s.width, s.radius
        )
        return Certificate(
            measure="share of agents who gain by moving",
            value=gainers / self.agents,
            unit="share of agents",
            method="every unhappy agent against every empty cell",
            details={
                "unhappy_share": unhappy / self.agents,
                "segregation_index": self.segregation_index(),
                "largest_gain": float(gainers > 0),
            },
        )

    def _neighbours(self) -> tuple[Int32Array, Int32Array]:
        like, occupied = np.empty(self.agents, np.int32), np.empty(self.agents, np.int32)
        kernels.like_and_occupied(self._board, self._cell, self._settings.width, self._settings.radius, like, occupied)
        return like, occupied

    def _fill_board(self) -> None:
        self._board.fill(0)
        self._board[self._cell] = self._group + np.int8(1)


def build(settings: SchellingSettings, *, seeds: SeedTree) -> Schelling:
    """Build the world; the engine resets it."""
    return Schelling(settings)
