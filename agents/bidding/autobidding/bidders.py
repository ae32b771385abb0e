"""Auto-bidders: bid = alpha times the predicted conversion rate.

* **PID**: alpha starts at 15.  With last cost c, remaining money m, traffic weights w and t steps done: when
  c sum_{future} w / w_{t-1} / m < 0.7 alpha grows by 1.2, else when c (48 - t) / m > 1.1 it shrinks by 0.7.
* **Online program**: the linear program of winning impressions within the remaining money, with the last steps' prices
  and values standing for the rest of the day, has the threshold rule value / cost >= 1 / alpha; alpha is the largest
  multiplier whose cost over those impressions, scaled to the coming traffic, fits the money.
* **Constant**: alpha is given, or the CPA limit.

Source: Su et al. (2024), arXiv 2412.10798, bundled PID and OnlineLP (which solves the program on logged days).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bidding.autobidding.settings import AutoPIDSettings, ConstantSettings, OnlineProgramSettings
from equilibria.games.auctions.simulators.net_bidders import NetProfile, NetView
from equilibria.games.auctions.simulators.net_settings import STEPS, TRAFFIC
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


class PIDBidder:
    """Steers alpha so that the money lasts."""

    def __init__(self, settings: AutoPIDSettings | None = None) -> None:
        self._settings = settings or AutoPIDSettings()
        self._alpha = self._settings.start

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        self._alpha = self._settings.start

    def bid(self, view: NetView) -> FloatArray:
        """Return alpha times the predicted values."""
        s, t = self._settings, view.step
        if t > 0:
            ahead = view.last_cost * sum(TRAFFIC[t:]) / TRAFFIC[t - 1] / view.left
            if ahead < s.slow:
                self._alpha *= s.up
            elif view.last_cost * (STEPS - t) / view.left > s.fast:
                self._alpha *= s.down
        return np.asarray(self._alpha * view.predicted, np.float64)


class ConstantBidder:
    """Bids the same multiple of the value all day."""

    def __init__(self, settings: ConstantSettings | None = None) -> None:
        self._settings = settings or ConstantSettings()
        self._alpha = 0.0

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        self._alpha = self._settings.multiplier or profile.cpa_limit

    def bid(self, view: NetView) -> FloatArray:
        """Return alpha times the predicted values."""
        return np.asarray(self._alpha * view.predicted, np.float64)


class OnlineProgramBidder:
    """Bids by the dual price of the program over recent impressions."""

    def __init__(self, settings: OnlineProgramSettings | None = None) -> None:
        self._settings = settings or OnlineProgramSettings()
        self._limit = np.inf
        self._seen: list[tuple[FloatArray, FloatArray]] = []
        self._part: list[float] = []
        self._last: FloatArray = np.zeros(0)

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        self._limit = profile.cpa_limit if self._settings.respect_limit else np.inf
        self._seen, self._part = [], []

    def bid(self, view: NetView) -> FloatArray:
        """Return alpha times the predicted values."""
        s = self._settings
        if view.history:
            stride = 1 + self._last.size * s.window // s.sample
            self._seen.append((self._last[::stride], view.history[-1].least_winning_cost[::stride]))
            self._part.append(self._last[::stride].size / max(self._last.size, 1))
        self._last = np.asarray(view.predicted, np.float64)
        alpha = s.start
        if self._seen:
            value = np.concatenate([v for v, _ in self._seen[-s.window :]])
            cost = np.concatenate([c for _, c in self._seen[-s.window :]])
            past = TRAFFIC[max(0, view.step - s.window) : view.step]
            kept = sum(w * part for w, part in zip(past, self._part[-s.window :], strict=True))
            scale = sum(TRAFFIC[view.step :]) / kept
            alpha = dual_multiplier(value, cost, view.left / scale)
        return np.asarray(min(alpha, self._limit) * self._last)


def dual_multiplier(value: FloatArray, cost: FloatArray, money: float) -> float:
    """Return the largest alpha such that the impressions with alpha value >= cost cost at most ``money``.

    Args:
        value: float64 [n] at least 0.
        cost: float64 [n] above 0.
        money: Money for these impressions.
    """
    with np.errstate(divide="ignore"):
        price = np.where(value > 0.0, cost / np.where(value > 0.0, value, 1.0), np.inf)
    order = np.argsort(price, kind="stable")
    bought = int(np.searchsorted(np.cumsum(cost[order]), money, side="right"))
    known = price[order]
    at = known[min(bought, known.size - 1)] if known.size else 1.0
    return float(min(at, 1e6))


def build_pid(settings: AutoPIDSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> PIDBidder:
    """Build the agent."""
    return PIDBidder(settings)


def build_constant(
    settings: ConstantSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int
) -> ConstantBidder:
    """Build the agent."""
    return ConstantBidder(settings)


def build_online_program(
    settings: OnlineProgramSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int
) -> OnlineProgramBidder:
    """Build the agent."""
    return OnlineProgramBidder(settings)
