"""Settings of the bidding agents; light."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

_STRIDE = "Budgets from 4096 on are computed at multiples of this power of two, linear in between"


class LinSettings(Settings):
    """Parameters of linear bidding."""

    base_bid: float | None = Field(
        default=None,
        gt=0.0,
        le=100_000.0,
        description="Bid at the mean click probability; null tunes it on training requests",
    )
    grid_step: float = Field(
        default=5.0, gt=0.0, le=100.0, description="Step of the tuning grid, in the unit of prices"
    )
    patience: int = Field(default=5, ge=1, le=100, description="Tuning stops after so many steps without improvement")


class ORTBSettings(Settings):
    """Parameters of concave bidding."""

    c: float | None = Field(
        default=None, gt=0.0, le=1e6, description="Bid at which a request is won half the time; null tunes it"
    )
    base_bid: float | None = Field(
        default=None, gt=0.0, le=100_000.0, description="Bid at the mean click probability; null tunes it"
    )


class ValueSettings(Settings):
    """Parameters of bidders with a value table."""

    gamma: float = Field(default=1.0, gt=0.0, le=1.0, description="Discount per request")
    budget_stride: Literal[1, 2, 4, 8, 16, 32, 64] = Field(default=1, description=_STRIDE)
    zero_budget_value: bool = Field(
        default=True, description="Count free wins at budget 0; false is the published code (rlb and ss_mdp)"
    )


class SpreadSettings(Settings):
    """Parameters of the request-aware programme."""

    gamma: float = Field(default=1.0, gt=0.0, le=1.0, description="Discount per request")
    budget_stride: Literal[1, 2, 4, 8, 16, 32, 64] = Field(default=8, description=_STRIDE)


class LongSettings(ValueSettings):
    """Parameters of RLB for episodes longer than its table."""

    base_requests: int = Field(default=5000, ge=1, le=100_000, description="T0, requests of the table")
    mapping: Literal["action", "difference", "segment", "extrapolate"] = Field(
        default="action",
        description="action: bid of the state with T0 requests and the same budget per request; difference: value "
        "differences of that state; segment: segments of T0 requests with their share of the budget; extrapolate: the "
        "network's differences outside its training region (needs network: true)",
    )
    network: bool = Field(
        default=False, description="Replace the table by a network fitted to it, as in the publication"
    )
    network_steps: int = Field(default=2000, ge=1, le=1_000_000, description="Gradient steps of the network")
    aware: bool = Field(default=False, description="Use the request-aware programme (RLB-theta)")

    @model_validator(mode="after")
    def _has_network(self) -> Self:
        if self.mapping == "extrapolate" and not self.network:
            raise ValueError("mapping: extrapolate asks the network outside its training region; set network: true")
        return self


class PIDSettings(Settings):
    """Parameters of PID pacing of linear bids."""

    interval: int = Field(default=100, ge=1, le=1_000_000, description="Requests between two corrections")
    proportional: float = Field(default=0.5, ge=0.0, le=10.0, description="Gain K_p of the relative error of spend")
    integral: float = Field(default=0.05, ge=0.0, le=10.0, description="Gain K_i of the summed error")
    derivative: float = Field(default=0.0, ge=0.0, le=10.0, description="Gain K_d of the change of the error")
    lowest: float = Field(default=0.05, gt=0.0, le=1.0, description="Least multiplier")
    highest: float = Field(default=20.0, ge=1.0, le=1e6, description="Largest multiplier")


class AdaptiveSettings(Settings):
    """Parameters of adaptive (multiplicative) pacing."""

    value_per_click: float | None = Field(
        default=None, gt=0.0, le=1e9, description="Money per click; null: 4 times the training cost per click"
    )
    step: float | None = Field(default=None, gt=0.0, le=1.0, description="Step of the multiplier; null: 1/sqrt(T)")
    money_unit: float | None = Field(
        default=None, gt=0.0, le=1e9, description="Money that counts as 1 in the step; null: the mean training price"
    )
    highest: float = Field(
        default=1000.0, gt=0.0, le=1e9, description="Largest dual multiplier mu; bids are v / (1 + mu)"
    )


class BanditSettings(Settings):
    """Parameters of bandits over multipliers of the linear bid."""

    method: Literal["ucb", "exp3", "squarecb"] = Field(
        default="squarecb",
        description="squarecb: inverse-gap weighting of a regression oracle; ucb: upper confidence bounds; exp3: exponential weights",
    )
    multipliers: tuple[float, ...] = Field(
        default=(0.25, 0.35, 0.5, 0.71, 1.0, 1.41, 2.0, 2.83, 4.0),
        min_length=2,
        max_length=100,
        description="Arms: multipliers of the bid that earns the training cost per click",
    )
    exploration: float = Field(
        default=1.0,
        gt=0.0,
        le=1000.0,
        description="Width of the bound (ucb), rate (exp3), or learning rate of the gap (squarecb)",
    )
    context: bool = Field(
        default=False, description="The regression oracle of squarecb also sees what the last episode brought"
    )

    @model_validator(mode="after")
    def _positive(self) -> Self:
        if self.context and self.method != "squarecb":
            raise ValueError(f"context needs method: squarecb, which has a regression oracle, got {self.method!r}")
        for k, value in enumerate(self.multipliers):
            if not 0.0 < value <= 1000.0:
                raise ValueError(f"multipliers[{k}] must lie in (0, 1000], got {value!r}")
        return self
