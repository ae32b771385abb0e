"""RLB, RLB-theta and SS-MDP: bidders with a table of the value of requests and budget.

All three solve a dynamic programme on the training price distribution and bid the largest price that
keeps the value of a win non-negative (``value``).  SS-MDP takes every request at the mean click
probability, RLB bids with the request's own one, RLB-theta also solves the programme with the
distribution of click probabilities.

Objectives: clicks (v1 = 1, v0 = 0), profit (v1 = training cost per click rounded down, v0 = 1),
impressions (every win counts 1).  Second price only: the programme takes the price paid as given.

Source: Cai et al. (2017), WSDM.  Memory: 8 T (B + 1) bytes with stride 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bidding.settings import SpreadSettings, ValueSettings
from equilibria.agents.bidding.value import Objective, solve, solve_spread
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import TABLE, BidRule, ValueTable
from equilibria.sim.errors import Unsupported
from equilibria.sim.seeds import SeedTree


class RLB:
    """Bids by the value table with each request's own click probability."""

    def __init__(self, settings: ValueSettings | None = None) -> None:
        self._settings = settings or ValueSettings()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Solve the programme and return the rule.

        Raises:
            Unsupported: For first-price auctions.
        """
        table = plain_table(training, self._settings, training.length - 1, training.budget)
        return BidRule(kind=TABLE, table=table, theta=fixed_theta(training))


class SSMDP(RLB):
    """Bids by the value table as if every request had the mean click probability."""

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Solve the programme and return the rule."""
        table = plain_table(training, self._settings, training.length - 1, training.budget)
        theta = 1.0 if training.objective == "impressions" else training.theta_mean
        return BidRule(kind=TABLE, table=table, theta=theta)


class RLBTheta:
    """RLB whose programme knows the distribution of click probabilities."""

    def __init__(self, settings: SpreadSettings | None = None) -> None:
        self._settings = settings or SpreadSettings()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Solve the programme and return the rule.

        Raises:
            Unsupported: For first-price auctions.
        """
        s = self._settings
        table = spread_table(training, s.gamma, s.budget_stride, training.length - 1, training.budget)
        return BidRule(kind=TABLE, table=table, theta=fixed_theta(training))


def objective_of(training: Training, gamma: float) -> Objective:
    """Return v1, v0 and gamma of a plan.

    Raises:
        Unsupported: For first-price auctions.
    """
    if training.first_price:
        raise Unsupported(
            "bidders with a value table need second-price auctions: the programme takes the price paid as given; "
            "use lin, pid_pacing, adaptive_pacing or bid_bandit in first-price ones"
        )
    if training.objective == "profit":
        return Objective(click_value=float(np.floor(training.cpc)), cost_weight=1.0, gamma=gamma)
    return Objective(gamma=gamma)


def fixed_theta(training: Training) -> float:
    """Return 1 for the impressions objective, else NaN (every request's own)."""
    return 1.0 if training.objective == "impressions" else float("nan")


def plain_table(training: Training, settings: ValueSettings, requests: int, budget: int) -> ValueTable:
    """Solve the published programme; row t is V(t, .) for t = 0 .. max(requests, 1)."""
    return solve(
        training.prices,
        1.0 if training.objective == "impressions" else training.theta_mean,
        max(requests, 1),
        budget,
        objective=objective_of(training, settings.gamma),
        zero_budget_value=settings.zero_budget_value,
        budget_stride=settings.budget_stride,
    )


def spread_table(training: Training, gamma: float, stride: int, requests: int, budget: int) -> ValueTable:
    """Solve the request-aware programme."""
    thetas = np.ones(1) if training.objective == "impressions" else training.requests.theta
    return solve_spread(
        training.prices,
        thetas,
        max(requests, 1),
        budget,
        objective=objective_of(training, gamma),
        budget_stride=stride,
    )


def build_rlb(settings: ValueSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> RLB:
    """Build the agent."""
    return RLB(settings)


def build_ss_mdp(settings: ValueSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> SSMDP:
    """Build the agent."""
    return SSMDP(settings)


def build_rlb_theta(settings: SpreadSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> RLBTheta:
    """Build the agent."""
    return RLBTheta(settings)
