"""Settings and constants of the AuctionNet world; light."""

from __future__ import annotations

from pathlib import Path
from typing import Final, Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

STEPS: Final = 48
AGENTS: Final = 48
PER_CATEGORY: Final = 8
SLOTS: Final = 3
EXPOSURE: Final = (1.0, 0.8, 0.6)
LEAST_BUDGET: Final = 0.1

# Share of the day's impressions per step.
TRAFFIC: Final = (
    0.02301, 0.01076, 0.00882, 0.00482, 0.00480, 0.00333, 0.00339, 0.00303, 0.00430, 0.00486, 0.01114, 0.01236,
    0.01851, 0.01729, 0.02612, 0.02405, 0.03641, 0.03309, 0.03811, 0.03238, 0.03719, 0.03288, 0.03353, 0.02550,
    0.02372, 0.02221, 0.02622, 0.02008, 0.02223, 0.02050, 0.02269, 0.02081, 0.02412, 0.02058, 0.01999, 0.01649,
    0.01746, 0.01689, 0.02043, 0.01979, 0.02495, 0.02512, 0.03110, 0.02859, 0.03006, 0.02565, 0.02538, 0.02529,
)  # fmt: skip
CPA_LIMITS: Final = (
    100, 70, 90, 110, 60, 130, 120, 80, 70, 130, 100, 110, 120, 90, 60, 80, 130, 80, 110, 100, 90, 120, 60, 70,
    120, 60, 90, 70, 100, 110, 130, 80, 120, 90, 70, 80, 100, 110, 60, 130, 90, 100, 110, 80, 60, 70, 130, 120,
)  # fmt: skip
BUDGETS: Final = (
    2900, 4350, 3000, 2400, 4800, 2000, 2050, 3500, 4600, 2000, 2800, 2350, 2050, 2900, 4750, 3450,
    2000, 3500, 2200, 2700, 3100, 2100, 4850, 4100, 2000, 4800, 3050, 4250, 2850, 2250, 2000, 3900,
    2000, 3250, 4450, 3550, 2700, 2100, 4650, 2000, 3400, 2650, 2300, 4100, 4800, 4450, 2000, 2050,
)  # fmt: skip


class AuctionNetSettings(Settings):
    """Parameters of AuctionNet's model: 48 advertisers with budgets and CPA limits in a three-slot GSP."""

    impressions: int = Field(
        default=500_000, ge=1000, le=5_000_000, description="Expected impressions per episode of 48 steps"
    )
    budget_scale: float = Field(default=1.0, gt=0.0, le=1e6, description="Factor of the 48 budgets")
    reserve: float = Field(default=1e-4, ge=0.0, le=1e6, description="Least price; slots sold at it count as unsold")
    grid: int = Field(default=40, ge=2, le=1000, description="Constant bids per value that the certificate tries")


class AuctionNetViewSettings(AuctionNetSettings):
    """Parameters of the model as a PettingZoo environment; a hundredth of the traffic and of the budgets by default."""

    impressions: int = Field(
        default=5000, ge=1000, le=5_000_000, description="Expected impressions per episode of 48 steps"
    )
    budget_scale: float = Field(default=0.01, gt=0.0, le=1e6, description="Factor of the 48 budgets")


SHIPPED_LOG: Final = str(Path(__file__).parent / "data" / "auction_net_small.csv.gz")
"""Three days of this simulator: 4,000 impressions, two advertisers, all 48 by mixed rules."""


class AuctionNetLogSettings(Settings):
    """Parameters of the replay of AuctionNet's csv logs, one advertiser at a time."""

    log: str | None = Field(
        default=None, description="A csv file (or csv.gz) or a folder of them; null: the small log that is shipped"
    )
    periods: tuple[int, ...] | None = Field(default=None, min_length=1, description="Delivery periods; null: all")
    advertisers: tuple[int, ...] | None = Field(default=None, min_length=1, description="Advertisers; null: all")
    broken: Literal["refuse", "skip"] = Field(
        default="refuse",
        description="Whether a file with broken lines is refused, or the lines are dropped and counted",
    )
    grid: int = Field(default=200, ge=2, le=10_000, description="Constant multipliers that the certificate tries")
    window: int = Field(default=20, ge=1, le=10_000, description="Last trajectories that the certificate judges")

    @property
    def path(self) -> str:
        """Path of the log."""
        return self.log or SHIPPED_LOG
