"""RLB for episodes longer than its table.

The table covers T0 requests.  In a state (t, b) beyond it the bidder

* ``action``: bids as at (T0, floor(b T0 / t));
* ``difference``: bids with the differences V(t-1, x+1) - V(t-1, x) read at (T0, floor(x T0 / (t-1)));
* ``segment``: cuts the rest of the episode into segments of T0 requests; each starts with its share
  b T0 / t of the budget, and what is left flows back;
* ``extrapolate``: bids with the differences that the network gives there, though it was fitted to the table's
  states only (RLB-NN; about 30 us per request, one evaluation per unit of the bid).

A budget that is too large for the table at T0 is met at fewer requests, (floor(t B0 / b), B0), so that
the budget per request stays the same.  With ``network`` the table is replaced by what a network
fitted to it gives (``network``).

Source: Cai et al. (2017), WSDM, section 4 (RLB-NN, -MapA, -MapD, -Seg).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bidding.network import fitted
from equilibria.agents.bidding.rlb import fixed_theta, plain_table, spread_table
from equilibria.agents.bidding.settings import LongSettings
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import TABLE, BidRule
from equilibria.sim.seeds import SeedTree


class RLBLong:
    """Bids by a table of T0 requests in episodes of any length."""

    def __init__(self, settings: LongSettings | None = None) -> None:
        self._settings = settings or LongSettings()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Solve the table, fit the network if wanted, and return the rule."""
        s = self._settings
        requests = min(s.base_requests, training.length)
        # Room for twice the planned budget per request: demand that comes late leaves more for the rest.
        budget = min(training.budget, int(np.ceil(2.0 * training.budget * requests / training.length)))
        if s.aware:
            table = spread_table(training, s.gamma, max(s.budget_stride, 8), requests, budget)
        else:
            table = plain_table(training, s, requests, budget)
        weights = np.zeros(0)
        if s.network:
            table, network = fitted(table, training.theta_mean, steps=s.network_steps, rng=seeds.generator())
            weights = network.packed()
        return BidRule(kind=TABLE, table=table, theta=fixed_theta(training), mapping=s.mapping, network=weights)


def build(settings: LongSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> RLBLong:
    """Build the agent."""
    return RLBLong(settings)
