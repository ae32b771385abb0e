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
