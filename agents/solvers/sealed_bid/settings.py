"""Settings of the sealed-bid solver."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class BayesianCFRPlusSettings(Settings):
    """CFR+ on bid distributions."""

    output: Literal["average", "last"] = Field(
        default="average", description="policy that is reported: the linear average, or the last one"
    )
    regret_power: float = Field(
        default=0.0,
        ge=0,
        le=10,
        description="regrets of iteration t have weight t to this power; 0 is CFR+. Low types of many bidders almost "
        "never win: their early, large regrets fade only with a power of 1 or more",
    )
    average_power: float = Field(
        default=1.0,
        ge=0,
        le=10,
        description="policies of iteration t have weight t to this power in the average; 1 is CFR+, at least "
        "regret_power keeps the bound on the regret",
    )
