"""Settings of the menu learner."""

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
