"""ORTB: the concave bid that maximises clicks when a bid a wins with probability a / (c + a).

a(theta) = sqrt(c theta / lambda + c^2) - c, with c and lambda tuned on the complete training episodes: for each c
of a grid, the bid at the mean click probability runs over a geometric grid.  Large c gives linear bids.

Source: Zhang, Yuan, Wang (2014), Optimal real-time bidding for display advertising, KDD, eq. 16.
Cost of tuning: one replay of the training requests per grid point, about 3 ns per request.
"""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from equilibria.agents.bidding.linear import outcome_value
from equilibria.agents.bidding.settings import ORTBSettings
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import LINEAR, MAX_PRICE, BidRule
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree

CURVES: Final = (10.0, 20.0, 40.0, 80.0, 160.0, 320.0, 1e4)
BASES: Final = tuple(float(b) for b in np.geomspace(2.0, 300.0, 36))


class ORTB:
    """Bids concavely in theta, tuned on the training requests.

    Attributes:
        c: The constant in use after ``prepare``.
        base_bid: Bid at the mean click probability.
    """

    def __init__(self, settings: ORTBSettings | None = None) -> None:
        self._settings = settings or ORTBSettings()
        self.c, self.base_bid = 0.0, 0.0

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Tune c and lambda and return the rule.

        Raises:
            Unsupported: For first-price auctions.
        """
        if training.first_price:
            raise Unsupported(
                "ortb is tuned at second prices; use lin, pid_pacing or bid_bandit in first-price auctions"
            )
        s = self._settings
        best = -np.inf
        for c in CURVES if s.c is None else (s.c,):
            for base in BASES if s.base_bid is None else (s.base_bid,):
                value = training_value(training, c, base)
                if value > best:
                    best, self.c, self.base_bid = value, c, base
        return BidRule(kind=LINEAR, scale=slope(self.c, self.base_bid, training.theta_mean), curve=self.c)


def slope(c: float, base: float, theta: float) -> float:
    """Return c / lambda, so that the bid at ``theta`` is ``base``."""
    return ((base + c) ** 2 - c**2) / theta


def training_value(training: Training, c: float, base: float) -> float:
    """Return what the complete training episodes (all requests if there is none) earn."""
    episodes = max(1, training.requests.count // training.length)
    r = training.requests.part(0, min(training.requests.count, episodes * training.length))
    out = np.zeros((episodes, 5))
    kernels.replay_curve(
        r.theta, r.price, r.click, r.truth, training.length, training.budget, slope(c, base, training.theta_mean), c,
        MAX_PRICE, out,
    )  # fmt: skip
    return outcome_value(training, out)


def build(settings: ORTBSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> ORTB:
    """Build the agent."""
    return ORTB(settings)
