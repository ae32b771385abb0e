"""Settings of the limit-order-book market; light.  Defaults are those of the ABIDES configuration rmsc04."""

from __future__ import annotations

from itertools import pairwise
from typing import Literal, Self

from pydantic import Field, model_validator

from equilibria.sim.plugin import Settings

_RATE = 1e12


class OrderMarketSettings(Settings):
    """Parameters of a market: prices in cents, one tick a cent; times in seconds of the market's clock."""

    noise: int = Field(default=1000, ge=0, le=10_000_000, description="Noise traders; each trades once per session")
    value: int = Field(default=102, ge=0, le=1_000_000, description="Value traders, who observe the fundamental value")
    momentum: int = Field(default=12, ge=0, le=1_000_000, description="Momentum traders")
    makers: int = Field(default=2, ge=0, le=10_000, description="Market makers")
    zero: int = Field(default=0, ge=0, le=10_000, description="Zero-intelligence flows")
    period: float = Field(default=1.0, gt=0.0, le=86_400.0, description="Seconds of a period")
    session: float = Field(
        default=1800.0, gt=0.0, le=86_400.0, description="Seconds of a session; sessions follow at once"
    )
    mean: int = Field(
        default=100_000, ge=100, le=5_000_000, description="Mean fundamental value, cents; prices end at twice it"
    )
    reversion: float = Field(
        default=1.67e-7, ge=0.0, le=1.0, description="Mean reversion of the fundamental value, per second"
    )
    volatility: float = Field(
        default=1.5811388300841898, ge=0.0, le=1e6,
        description="Volatility of the fundamental value, cents per root of a second (5e-5 per root of a nanosecond)",
    )  # fmt: skip
    shock_rate: float = Field(default=2.77778e-9, ge=0.0, le=1.0, description="Large shocks per second")
    shock_mean: float = Field(default=1000.0, ge=0.0, le=1e6, description="Mean size of a large shock, cents")
    shock_variance: float = Field(default=50_000.0, ge=0.0, le=1e12, description="Variance of that size")
    cash: int = Field(default=10_000_000, ge=0, le=10**15, description="Cents that each trader starts with")
    value_rate: float = Field(default=5.7e-3, gt=0.0, le=_RATE, description="Arrivals of a value trader per second")
    belief_reversion: float = Field(
        default=1.67e-6, ge=0.0, le=1.0, description="Reversion that value traders believe in"
    )
    observation_variance: float = Field(
        default=1000.0, gt=0.0, le=1e12, description="Variance of what they observe, cents^2"
    )
    aggressive: float = Field(
        default=0.1, ge=0.0, le=1.0, description="Share of their orders at the opposite best price"
    )
    depth: float = Field(default=2.0, ge=0.0, le=100.0, description="Other orders lie up to this many spreads away")
    momentum_rate: float = Field(
        default=1.0 / 37.0, gt=0.0, le=_RATE, description="Arrivals of a momentum trader per second"
    )
    maker_interval: float = Field(default=60.0, gt=0.0, le=86_400.0, description="Seconds between a maker's quotes")
    participation: float = Field(
        default=0.025, ge=0.0, le=1.0, description="Quoted size per level over volume since the last quotes"
    )
    levels: int = Field(default=10, ge=1, le=1000, description="Levels a maker quotes per side")
    spacing: float = Field(
        default=5.0, ge=0.0, le=10_000.0, description="Average spreads between its levels, at least a tick"
    )
    skew: float = Field(
        default=4.0, ge=0.0, le=1e6, description="Ticks its quotes move up if all volume was bought, down if sold"
    )
    spread_weight: float = Field(
        default=0.75, ge=0.0, le=1.0, description="Weight of the present spread in its average"
    )
    first_spread: float = Field(default=50.0, ge=0.0, le=1e6, description="First value of that average, ticks")
    limit_rate: float = Field(
        default=1.0, ge=0.0, le=_RATE, description="Zero intelligence: limit orders per tick, side and second"
    )
    market_rate: float = Field(
        default=5.0, ge=0.0, le=_RATE, description="Zero intelligence: market orders per side and second"
    )
    cancel_rate: float = Field(
        default=0.2, ge=0.0, le=_RATE, description="Zero intelligence: cancellations per order and second"
    )
    window: int = Field(
        default=50, ge=1, le=100_000, description="Zero intelligence: ticks from the opposite best price"
    )
    latency: float = Field(
        default=0.0,
        ge=0.0,
        le=3600.0,
        description="Seconds from a decision to the book; each trader's is U[0, 2] times this",
    )
    capacity: int = Field(default=100_000, ge=10, le=100_000_000, description="Orders that may rest at once")

    @property
    def counts(self) -> tuple[int, ...]:
        """Numbers of noise, value and momentum traders, makers and flows."""
        return self.noise, self.value, self.momentum, self.makers, self.zero

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if sum(self.counts) == 0:
            raise ValueError("the market needs traders; all of noise, value, momentum, makers and zero are 0")
        return self


class OrderMarketViewSettings(OrderMarketSettings):
    """Parameters of the market as a PettingZoo environment: its population, the learning traders and their task."""

    period: float = Field(default=60.0, gt=0.0, le=86_400.0, description="Seconds between decisions")
    capacity: int = Field(default=20_000, ge=10, le=100_000_000, description="Orders that may rest at once")
    task: Literal["investor", "execution"] = Field(
        default="investor", description="investor: earn; execution: buy or sell a parent order at little cost"
    )
    traders: int = Field(default=1, ge=1, le=1000, description="Learning traders")
    warm_up: int = Field(default=5, ge=1, le=100_000, description="Periods before the first decision")
    sizes: tuple[int, ...] = Field(
        default=(10, 50, 100), min_length=1, max_length=100, description="Sizes of orders to choose from, rising"
    )
    offsets: int = Field(
        default=5, ge=1, le=1000, description="Limit orders lie 0 to offsets - 1 ticks behind the best price"
    )
    history: int = Field(default=3, ge=1, le=1000, description="Past changes of the mid price that traders see")
    book_levels: int = Field(default=3, ge=1, le=1000, description="Levels per side in the imbalance they see")
    ruin: float = Field(
        default=0.3, ge=0.0, lt=1.0, description="Share of the starting cash below which an investor is out"
    )
    side: Literal["buy", "sell"] = Field(default="buy", description="Direction of the parent order (execution)")
    parent: int = Field(default=1000, ge=1, le=10**9, description="Shares of the parent order (execution)")
    penalty: float = Field(default=1000.0, ge=0.0, le=1e9, description="Cents per share not executed (execution)")

    @model_validator(mode="after")
    def _playable(self) -> Self:
        periods = self.session / self.period
        if abs(periods - round(periods)) > 1e-9 or round(periods) <= self.warm_up:
            raise ValueError(
                f"session must be a whole number of periods, more than warm_up ({self.warm_up}), got {periods:g}"
            )
        if self.sizes[0] < 1 or self.sizes[-1] > 10**9 or any(b <= a for a, b in pairwise(self.sizes)):
            raise ValueError(f"sizes must rise and lie in 1..1e9, got {self.sizes}")
        if 2.0 * self.latency >= self.period:  # else an order could still be on its way at the next decision
            raise ValueError(f"period must be above twice the latency ({self.latency} s), got {self.period} s")
        return self
