"""Settings of the one-bidder sale; light, so that descriptors can import them."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings


class MenuGameSettings(Settings):
    """Several items for one bidder, or some alike, with private values."""

    bidders: int = Field(default=1, ge=1, le=20, description="number of bidders with the same distribution of values")
    lows: list[float] = Field(default=[0.0, 0.0], min_length=1, max_length=50, description="least value of each item")
    highs: list[float] = Field(
        default=[1.0, 1.0], min_length=1, max_length=50, description="greatest value of each item"
    )
    demand: Literal["additive", "unit"] = Field(
        default="additive", description="values of items add up, or the bidder wants one item"
    )
    support: Literal["box", "triangle"] = Field(
        default="box", description="independent uniform values, or uniform below the line v1 + v2 = high"
    )
