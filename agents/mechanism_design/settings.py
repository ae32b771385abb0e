"""Settings of the auction learners."""

from __future__ import annotations

from pydantic import Field

from equilibria.sim.plugin import Settings


class MenuLearnerSettings(Settings):
    """Gradient ascent of revenue on a menu (RochetNet)."""

    options: int = Field(default=200, ge=1, le=20_000, description="number J of options of the menu")
    batch: int = Field(default=1024, ge=1, le=1_000_000, description="valuations per update")
    step: float = Field(default=0.02, gt=0, le=10, description="Adam step of the shares' logits")
    price_step: float = Field(
        default=0.2, gt=0, le=100, description="step of prices in units of the logits' step times the largest value"
    )
    last_step: float = Field(default=0.02, gt=0, le=1, description="share of the step left at the end (cosine decay)")
    first_sharpness: float = Field(
        default=20.0, gt=0, description="inverse temperature of the choice at the start, per largest value"
    )
    last_sharpness: float = Field(default=1000.0, gt=0, description="inverse temperature at the end")
    spread: float = Field(default=3.0, gt=0, le=100, description="standard deviation of the first logits")
    judged: int = Field(
        default=1_000_000, ge=1000, le=100_000_000, description="valuations that judge the menu at the end"
    )


class RegretNetSettings(Settings):
    """Networks for shares and payments under a penalty for regret (RegretNet)."""

    hidden: int = Field(default=100, ge=1, le=4096, description="units per hidden layer")
    layers: int = Field(default=2, ge=1, le=10, description="hidden layers of each of the two networks")
    batch: int = Field(default=128, ge=1, le=100_000, description="valuation profiles per update")
    batches: int = Field(
        default=500, ge=1, le=100_000, description="batches of fixed profiles, visited in turn; misreports are kept"
    )
    step: float = Field(default=1e-3, gt=0, le=1, description="Adam step of the weights")
    inner_steps: int = Field(default=25, ge=1, le=10_000, description="ascent steps of the misreports per update")
    misreport_step: float = Field(
        default=0.1, gt=0, le=1, description="Adam step of misreports, in ranges of the values"
    )
    multiplier: float = Field(default=5.0, ge=0, le=1e6, description="first Lagrange multiplier of regret")
    multiplier_period: int = Field(
        default=100, ge=1, le=1_000_000, description="updates between two of the multipliers"
    )
    penalty: float = Field(default=1.0, gt=0, le=1e6, description="first weight rho of squared regret")
    penalty_growth: float = Field(default=50.0, ge=0, le=1e6, description="growth of rho per period")
    penalty_period: int = Field(
        default=500, ge=1, le=10_000_000,
        description="updates between two growths of rho; in proportion to a run of 20,000 (source: 10,000 of 400,000)",
    )  # fmt: skip
    judged: int = Field(
        default=200_000, ge=1000, le=100_000_000, description="profiles that measure revenue at the end"
    )
    judged_profiles: int = Field(default=200, ge=2, le=1_000_000, description="profiles that measure regret at the end")
    judged_restarts: int = Field(default=100, ge=1, le=100_000, description="random reports each ascent starts from")
    judged_steps: int = Field(default=200, ge=1, le=100_000, description="ascent steps when regret is measured")
