"""Wealth exchange: agents give one unit of money to random others.

**State.** Agent i of N owns an integer wealth w_i >= 0; all start with ``initial_wealth``.

**Well-mixed world, one period.** An agent who acts and has w_i > 0 draws a partner j uniformly from
the N - 1 others and w_i <- w_i - 1, w_j <- w_j + 1.
  - ``random-sequential``: every agent acts once, in a fresh uniformly random order; each sees what
    the ones before it did.
  - ``simultaneous``: every agent acts once on the wealth at the start of the period; all gifts are
    booked together.
  - ``random-scan``: N times an agent is drawn uniformly from all N and acts (the random pairs of
    Dragulescu and Yakovenko).

**Grid world, one period.** Agents live on the cells of a width x height torus, any number per cell,
placed uniformly at random at period 0.
  - ``random-sequential``: in a fresh random order each agent moves to one of the 8 Moore neighbours
    of its cell, uniformly; then, if w_i > 0 and the new cell holds others, it gives one unit to one
    of them, uniformly.
  - ``simultaneous``: all move; then every agent with w_i > 0 at the start of the period gives one
    unit to a random other agent of its new cell, if there is any.

Total wealth is conserved exactly.  Partners are drawn by multiply-shift from 32-bit words, so the
probability of a partner is off by less than 2^-32.

Source: A. Dragulescu, V. M. Yakovenko, Statistical mechanics of money, European Physical Journal B
17 (2000) 723-729; the grid variant is the world known from agent-based modelling courses.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import ClassVar

import numpy as np

from equilibria.games.population import laws, wealth_kernels
from equilibria.games.population.draws import fill
from equilibria.games.population.measures import gini, wealth_counts
from equilibria.games.population.settings import WealthGridSettings, WealthSettings
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, Int32Array

_ACTIVATION = {
    "random-sequential": wealth_kernels.SEQUENTIAL,
    "simultaneous": wealth_kernels.SIMULTANEOUS,
    "random-scan": wealth_kernels.SCAN,
}
_CONFIDENCE = 0.95


def law_certificate(wealth: Int32Array, activation: str, *, warning: str = "") -> Certificate:
    """Compare the wealth of N agents with a stationary law.

    The value is the Kolmogorov distance between the empirical distribution of the N agents and the
    law of ``laws.stationary``.  The interval for the distance of the distribution that the agents
    are drawn from follows from the Dvoretzky-Kiefer-Wolfowitz inequality with Massart's constant,
    half-width sqrt(ln(2 / 0.05) / (2 N)).
    """
    mean = float(wealth.mean())
    exact = laws.stationary(activation, mean)
    distance = laws.ks_distance(wealth_counts(wealth), exact)
    noise = math.sqrt(math.log(2 / (1 - _CONFIDENCE)) / (2 * wealth.size))
    return Certificate(
        measure="Kolmogorov distance of wealth from its stationary law",
        value=distance,
        unit="probability",
        method=f"closed-form law of the {activation} exchange with mean {mean:g}",
        kind="estimate",
        low=max(0.0, distance - noise),
        high=min(1.0, distance + noise),
        confidence=_CONFIDENCE,
        sample_size=int(wealth.size),
        details={"gini": gini(wealth), "gini_of_the_law": laws.gini(exact), "share_without_money_of_the_law": exact[0]},
        warning=warning or "the law is that of infinitely many agents; the interval takes agents as independent",
    )


class WealthExchange:
    """The well-mixed world; see the module for the model.

    Cost: one word for the order and one for the partner per agent and period, 16 bytes of memory
    traffic; about 4 ns per agent (random-sequential) or 2 ns (simultaneous).
    """

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("wealth",)

    def __init__(self, settings: WealthSettings) -> None:
        self._settings = settings
        self._wealth = np.full(settings.agents, settings.initial_wealth, np.int32)
        self._scratch = np.empty(settings.agents, np.int32)
        self._key = np.uint64(0)

    @property
    def agents(self) -> int:
        """Number of agents."""
        return int(self._wealth.size)

    def reset(self, seeds: SeedTree) -> None:
        """Give everybody the initial wealth."""
        self._key = seeds.child("exchange").key()
        self._wealth.fill(self._settings.initial_wealth)

    def run(self, first: int, steps: int) -> None:
        """Perform periods ``first .. first + steps - 1``."""
        activation = _ACTIVATION[self._settings.activation]
        wealth_kernels.run_exchange(self._wealth, self._scratch, self._key, first, steps, activation)

    def columns(self) -> Mapping[str, AnyArray]:
        """Return ``wealth`` int32 [N], in units of money."""
        return {"wealth": self._wealth}

    def save(self) -> State:
        """Return wealth and key."""
        return State({"wealth": self._wealth.copy(), "key": np.array([self._key])})

    def load(self, state: State) -> None:
        """Restore wealth and key."""
        self._wealth[:] = state.arrays["wealth"]
        self._key = np.uint64(state.arrays["key"][0])

    def certificate(self) -> Certificate:
        """Compare with the stationary law of the activation."""
        return law_certificate(self._wealth, self._settings.activation)


class WealthGrid:
    """The grid world; see the module for the model.

    Cost: about 40 ns per agent and period (random-sequential, 1e5 agents) or 18 ns (simultaneous).
    """

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("wealth", "row", "column")

    def __init__(self, settings: WealthGridSettings) -> None:
        self._settings = settings
        n = settings.agents
        self._wealth = np.full(n, settings.initial_wealth, np.int32)
        self._cell = np.zeros(n, np.int32)
        self._slot = np.zeros(n, np.int32)
        self._order = np.empty(n, np.int32)
        self._start = np.zeros(self.cells + 1, np.int32)
        self._members = np.empty((self.cells, 1), np.int32)
        self._sorted = np.empty(n, np.int32)
        self._key = np.uint64(0)

    @property
    def agents(self) -> int:
        """Number of agents."""
        return int(self._wealth.size)

    @property
    def cells(self) -> int:
        """Number of cells."""
        return self._settings.width * self._settings.height

    def reset(self, seeds: SeedTree) -> None:
        """Give everybody the initial wealth and a uniformly random cell."""
        self._key = seeds.child("exchange").key()
        self._wealth.fill(self._settings.initial_wealth)
        place_uniformly(self._cell, self._key, self.cells)
        wealth_kernels.sort_by_cell(self._cell, self._start, self._sorted, self._slot)
        self._fill_members()

    def run(self, first: int, steps: int) -> None:
        """Perform periods ``first .. first + steps - 1``."""
        width = self._settings.width
        if self._settings.activation == "simultaneous":
            wealth_kernels.run_grid_at_once(
                self._wealth, self._cell, self._slot, self._start, self._sorted, self._order, width,
                self._key, first, steps,
            )  # fmt: skip
        else:
            self._members = wealth_kernels.run_grid_in_order(
                self._wealth, self._cell, self._slot, self._start[:-1], self._members, self._order, width,
                self._key, first, steps,
            )  # fmt: skip

    def columns(self) -> Mapping[str, AnyArray]:
        """Return ``wealth`` (units of money), ``row`` and ``column`` (from 0), int32 [N] each."""
        row, column = np.divmod(self._cell, np.int32(self._settings.width))
        return {"wealth": self._wealth, "row": row, "column": column}

    def save(self) -> State:
        """Return wealth, places and key; the order within a cell matters, so slots are kept."""
        return State(
            {
                "wealth": self._wealth.copy(),
                "cell": self._cell.copy(),
                "slot": self._slot.copy(),
                "key": np.array([self._key]),
            }
        )

    def load(self, state: State) -> None:
        """Restore wealth, places and key."""
        self._wealth[:] = state.arrays["wealth"]
        self._cell[:] = state.arrays["cell"]
        self._slot[:] = state.arrays["slot"]
        self._key = np.uint64(state.arrays["key"][0])
        self._fill_members()

    def certificate(self) -> Certificate:
        """Compare with the Boltzmann-Gibbs law, the reference of exchange without space."""
        return law_certificate(
            self._wealth,
            "random-scan",
            warning="Boltzmann-Gibbs is the reference without space; the exact law of the grid world is not known",
        )

    def _fill_members(self) -> None:
        if self._settings.activation == "simultaneous":
            return  # that kernel sorts anew in every period
        slots = 2 + int(self._slot.max())  # the kernel adds more when a cell fills up
        self._members = np.empty((self.cells, slots), np.int32)
        wealth_kernels.build_cells(self._cell, self._slot, self._start[:-1], self._members)


def place_uniformly(cell: Int32Array, key: np.uint64, cells: int) -> None:
    """Draw a cell for every agent from step 0, stream 0."""
    buffer = np.empty(-(-cell.size // 4) * 4, np.uint32)
    fill(buffer, key, 0, 0, 0)
    cell[:] = (buffer[: cell.size].astype(np.uint64) * np.uint64(cells)) >> np.uint64(32)


def build_exchange(settings: WealthSettings, *, seeds: SeedTree) -> WealthExchange:
    """Build the well-mixed world; the engine resets it."""
    return WealthExchange(settings)


def build_grid(settings: WealthGridSettings, *, seeds: SeedTree) -> WealthGrid:
    """Build the grid world; the engine resets it."""
    return WealthGrid(settings)
