"""Selling several items to one bidder: menus, value distributions and the menus known to be optimal.

A menu lists options (shares of the items, price); the bidder takes the one with the highest utility or nothing.
Every menu is truthful and individually rational, and every such mechanism for one bidder is a menu (taxation
principle), so the seller's problem is to choose one.

Axes: N valuations, J options, m items.

Reference: Manelli and Vincent (2006), Journal of Economic Theory 127; Daskalakis, Deckelbaum, Tzamos (2017),
Econometrica 85; Haghpanah and Hartline (2015) for the triangle; Pavlov (2011) for unit demand.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from equilibria.games.auctions.menu_settings import MenuGameSettings
from equilibria.mechanisms.oracles import OPTIMAL_MENU_REVENUE, optimal_revenue
from equilibria.mechanisms.priors import Uniform
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

_CHUNK = 8192


@dataclass(frozen=True)
class Menu:
    """Options of a seller; the empty option at price 0 is always there as well.

    Attributes:
        shares: [J, m] share of each item, in [0, 1].
        prices: [J] prices.
    """

    shares: FloatArray
    prices: FloatArray

    def payments(self, values: FloatArray) -> FloatArray:
        """Return what valuations [N, m] pay; among equally good options the seller's favourite is taken."""
        paid = np.empty(len(values))
        for low in range(0, len(values), _CHUNK):
            block = values[low : low + _CHUNK]
            utility = block @ self.shares.T - self.prices
            best = utility.argmax(axis=1)
            rows = np.arange(len(block))
            paid[low : low + len(block)] = np.where(utility[rows, best] >= 0, self.prices[best], 0.0)
        return paid

    def used(self, values: FloatArray, least: float = 1e-4) -> Menu:
        """Return the options that at least a share ``least`` of the valuations choose, dearest last."""
        counts = np.zeros(len(self.prices))
        for low in range(0, len(values), _CHUNK):
            utility = values[low : low + _CHUNK] @ self.shares.T - self.prices
            best = utility.argmax(axis=1)
            buys = utility[np.arange(len(best)), best] >= 0
            counts += np.bincount(best[buys], minlength=len(counts))
        kept = np.flatnonzero(counts >= least * len(values))
        kept = kept[np.argsort(self.prices[kept], kind="stable")]
        return Menu(self.shares[kept], self.prices[kept])


class MenuGame:
    """One bidder or several alike, m items, a distribution of values.

    Args:
        lows: [m] least values.
        highs: [m] greatest values.
        demand: ``additive`` (values add up) or ``unit`` (shares of an option sum to at most 1).
        support: ``box`` (independent uniform values) or ``triangle`` (uniform on v1 + v2 <= high, from 0).
        bidders: Number n of bidders; menus are for one, learned auctions for any number.

    Raises:
        InvalidValue: If the bounds are not valid.
    """

    def __init__(
        self, lows: list[float], highs: list[float], *, demand: str = "additive", support: str = "box",
        bidders: int = 1,
    ) -> None:  # fmt: skip
        self.lows, self.highs = np.asarray(lows, np.float64), np.asarray(highs, np.float64)
        if self.lows.shape != self.highs.shape or self.lows.ndim != 1 or self.lows.size < 1:
            raise InvalidValue(f"need equally many lows and highs, got {len(lows)} and {len(highs)}")
        if not (np.isfinite(self.highs).all() and (self.lows >= 0).all() and (self.lows < self.highs).all()):
            raise InvalidValue(f"need 0 <= low < high for every item, got lows {lows!r}, highs {highs!r}")
        if demand not in ("additive", "unit") or support not in ("box", "triangle"):
            raise InvalidValue(f"demand is additive or unit, support box or triangle, got {demand!r}, {support!r}")
        if support == "triangle" and (self.lows.size != 2 or self.lows.any() or self.highs[0] != self.highs[1]):
            raise InvalidValue("the triangle needs two items with lows 0 and equal highs")
        if bidders < 1:
            raise InvalidValue(f"bidders must be at least 1, got {bidders!r}")
        self.demand, self.support, self.bidders = demand, support, bidders

    @property
    def items(self) -> int:
        """Number m of items."""
        return int(self.lows.size)

    @property
    def scale(self) -> float:
        """Largest range of an item's values, the unit of step sizes and prices."""
        return float((self.highs - self.lows).max())

    def sample(self, rng: np.random.Generator, size: int) -> FloatArray:
        """Draw valuations [N, m] of single bidders."""
        u = rng.random((size, self.items))
        if self.support == "triangle":
            u = np.where(u.sum(axis=1, keepdims=True) > 1, 1 - u, u)
        return np.asarray(self.lows + u * (self.highs - self.lows))

    def optimal_menu(self) -> Menu | None:
        """Return an optimal menu where theory has one, for one bidder."""
        if self.bidders > 1:
            return None
        h = self.scale
        square = self.items == 2 and not self.lows.any() and self.highs[0] == self.highs[1]
        third = h / math.sqrt(3)
        if self.support == "triangle":
            bundle = Menu(np.ones((1, 2)), np.array([third]))
            return bundle if self.demand == "additive" else None
        if square and self.demand == "additive":
            prices = h * np.array([2 / 3, 2 / 3, (4 - math.sqrt(2)) / 3])
            return Menu(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]), prices)
        if square:
            return Menu(np.eye(2), np.array([third, third]))
        bounds = (self.lows.tolist(), self.highs.tolist())
        if self.demand == "additive" and bounds == ([4.0, 4.0], [16.0, 7.0]):
            return Menu(np.array([[0.5, 1.0], [1.0, 1.0]]), np.array([8.0, 12.0]))
        if self.demand == "unit" and bounds == ([2.0, 2.0], [3.0, 3.0]):
            t = 4 / 3 + math.sqrt(5.5) / 3
            return Menu(np.array([[0.5, 0.5], [1.0, 0.0], [0.0, 1.0]]), np.array([t, t + 1 / 6, t + 1 / 6]))
        return None

    def optimum(self) -> float | None:
        """Return the optimal revenue where theory has it; for several bidders that is one item (Myerson)."""
        if self.items == 1 and self.support == "box":
            prior = Uniform(float(self.lows[0]), float(self.highs[0]))
            return float(optimal_revenue([prior] * self.bidders))
        if self.optimal_menu() is None:
            return None
        if self.support == "triangle":
            return self.scale * OPTIMAL_MENU_REVENUE["additive triangle"]
        if not self.lows.any():
            name = "additive U[0,1]^2" if self.demand == "additive" else "unit demand U[0,1]^2"
            return self.scale * OPTIMAL_MENU_REVENUE[name]
        if self.demand == "additive":
            return OPTIMAL_MENU_REVENUE["additive U[4,16] x U[4,7]"]
        return OPTIMAL_MENU_REVENUE["unit demand U[2,3]^2"]


def build(settings: MenuGameSettings, *, seeds: SeedTree) -> MenuGame:
    """Build the game of a scenario; values are drawn by the solver."""
    del seeds
    return MenuGame(
        list(settings.lows), list(settings.highs), demand=settings.demand, support=settings.support,
        bidders=settings.bidders,
    )  # fmt: skip
