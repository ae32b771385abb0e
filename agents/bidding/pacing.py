"""Pacing: linear bids whose scale follows the spend.

* **PID**: every ``interval`` requests the relative error e = (planned - spent) / planned, the plan being
  an even spend of what was left, moves the multiplier, lambda <- lambda exp(K_p e + K_i sum e + K_d change of e), clipped; the sum rests while the
  multiplier is at a limit, and the controller rests in intervals that begin with less than the highest price.
* **Adaptive**: bids v / (1 + mu) for a value v; after each request
  mu <- clip(mu - step (B/T - paid), 0, highest), with money in units of the mean training price; it rests
  while the remaining budget is below the highest price.

Both carry their multiplier from one episode to the next.

Source: PID: Zhang et al. (2016), WSDM; the gains are ours.  Adaptive: Balseiro and Gur (2019),
Management Science 65, 3952, eq. 6.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.bidding.settings import AdaptiveSettings, PIDSettings
from equilibria.games.auctions.rtb.requests import Training
from equilibria.games.auctions.rtb.rules import LINEAR, BidRule
from equilibria.sim.seeds import SeedTree


class PIDPacing:
    """Linear bids around the cost per click, steered to even spend."""

    def __init__(self, settings: PIDSettings | None = None) -> None:
        self._settings = settings or PIDSettings()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Return the rule; the multiplier starts at 1."""
        s = self._settings
        # The last two entries are the controller's start: multiplier 1, integral 0.
        gains = [float(s.interval), s.proportional, s.integral, s.derivative, s.lowest, s.highest, 1.0, 0.0]
        return BidRule(kind=LINEAR, scale=training.cpc, control="pid", parameters=np.array(gains))


class AdaptivePacing:
    """Values shaded by a dual multiplier."""

    def __init__(self, settings: AdaptiveSettings | None = None) -> None:
        self._settings = settings or AdaptiveSettings()

    def prepare(self, training: Training, seeds: SeedTree) -> BidRule:
        """Return the rule; mu starts at 0."""
        s = self._settings
        step = s.step or 1.0 / np.sqrt(training.length)
        value = s.value_per_click or 4.0 * training.cpc
        numbers = [step, s.money_unit or training.cpm, s.highest, 0.0, 0.0, 0.0, 1.0, 0.0]
        return BidRule(kind=LINEAR, scale=value, control="adaptive", parameters=np.array(numbers))


def build_pid(settings: PIDSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int) -> PIDPacing:
    """Build the agent."""
    return PIDPacing(settings)


def build_adaptive(
    settings: AdaptiveSettings, *, game: Any, roles: Any, seeds: SeedTree, budget: int
) -> AdaptivePacing:
    """Build the agent."""
    return AdaptivePacing(settings)
