"""Settings of Monte Carlo counterfactual regret minimisation; light, so that descriptors can import it."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

Sampling = Literal["external", "outcome"]
Average = Literal["simple", "full"]
Baseline = Literal["none", "infoset", "history"]


class MCCFRSettings(Settings):
    """Parameters of Monte Carlo counterfactual regret minimisation."""

    sampling: Sampling = Field(
        "external", description="external: all own actions, one sampled move of the others; outcome: one trajectory"
    )
    epsilon: float = Field(
        0.6, gt=0.0, le=1.0, description="outcome sampling: share of uniform exploration at own infosets"
    )
    average: Average = Field(
        "simple",
        description="external sampling: simple adds the policy where the other player's pass meets it (biased for "
        "more than two players); full adds reach * policy everywhere, at the cost of one pass over all infosets",
    )
    linear: bool = Field(False, description="weight the increments of iteration t by t")
    baseline: Baseline = Field(
        "history",
        description="control variates that cut the sampling variance: none, per infoset action, or per history",
    )
    baseline_rate: float = Field(0.5, gt=0.0, le=1.0, description="step of the running mean behind the baselines")
