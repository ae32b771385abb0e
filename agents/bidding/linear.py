"""Linear bidders: Mcpc and Lin.

* Mcpc bids the training cost per click times theta.
* Lin bids b0 theta / theta_mean; b0 is tuned on the complete episodes of the training requests: grid
  step, 2 step, ..., the last best one is kept, and the search ends after ``patience`` steps
  without improvement, however high that leads.

Source: baselines of Cai et al. (2017), WSDM, section 5.
Cost of tuning: one replay of the training requests per grid point, about 2 ns per request.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bidding.settings import LinSettings
from equilibria.games.auctions.rtb import kernels
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import LINEAR, MAX_PRICE, BidRule
from equilibria.sim.plugin import NoSettings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray


class Mcpc:
    """Bids the training cost per click times theta."""

    def __init__(self, settings: NoSettings | None = None) -> None:
        pass

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Return the rule."""
        return BidRule(kind=LINEAR, scale=training.cpc)


class Lin:
    """Bids in proportion to theta with a tuned base bid."""

    def __init__(self, settings: LinSettings | None = None) -> None:
        self._settings = settings or LinSettings()
        self.base_bid = 0.0

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Tune the base bid, keep it in ``base_bid``, and return the rule."""
        s = self._settings
        self.base_bid = s.base_bid or tune_linear(training, step=s.grid_step, patience=s.patience)
        return BidRule(kind=LINEAR, scale=self.base_bid / training.theta_mean)


def tune_linear(training: Training, *, step: float = 5.0, patience: int = 5) -> float:
    """Return the best base bid b0 on the complete training episodes (all requests if there is none).

    Args:
        training: Training stream and plan.
        step: Step of the grid.
        patience: Steps without improvement after which the search ends.
    """
    episodes = max(1, training.requests.count // training.length)
    r = training.requests.part(0, min(training.requests.count, episodes * training.length))
    out = np.zeros((episodes, 5))
    best, kept, misses, base = -np.inf, step, 0, step
    # Beyond the highest price at the least click probability every grid point bids alike.
    while misses < patience and base < 1e6:
        _replay(training, r, base / training.theta_mean, out)
        value = outcome_value(training, out)
        if value >= best:
            best, kept, misses = value, base, 0
            if value == 0.0 and base > MAX_PRICE * 10:
                break
        else:
            misses += 1
        base += step
    return kept


def _replay(training: Training, r: Any, scale: float, out: FloatArray) -> None:
    if not training.first_price:
        kernels.replay_linear(
            r.theta, r.price, r.click, r.truth, training.length, training.budget, scale, MAX_PRICE, out
        )
        return
    out[:] = 0.0
    met = np.stack([r.theta, r.price.astype(np.float64), r.truth], axis=1)
    gain = np.zeros(1)
    value, weight = worth(training)
    kernels.best_reply(met, training.length, training.budget, MAX_PRICE, np.array([scale]), False, value, weight, gain)
    out[0, kernels.VALUE] = gain[0]


def outcome_value(training: Training, out: FloatArray) -> float:
    """Return what replayed episodes [E, 5] are worth in the objective of the plan."""
    total = out.sum(axis=0)
    if training.first_price:
        return float(total[kernels.VALUE])
    value, weight = worth(training)
    return float(value[0] * total[kernels.IMPRESSIONS] + value[1] * total[kernels.VALUE] - weight * total[kernels.COST])


def worth(training: Training) -> tuple[FloatArray, float]:
    """Return (value per win, value per click) and the weight of money of the objective."""
    if training.objective == "impressions":
        return np.array([1.0, 0.0]), 0.0
    if training.objective == "profit":
        return np.array([0.0, training.cpc]), 1.0
    return np.array([0.0, 1.0]), 0.0


def build_lin(settings: LinSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Lin:
    """Build the agent."""
    return Lin(settings)


def build_mcpc(settings: NoSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> Mcpc:
    """Build the agent."""
    return Mcpc(settings)
