"""Settings of the decision problems that scenarios name."""

from __future__ import annotations

from pydantic import Field

from equilibria.games.robust.payoffs import EXAMPLE
from equilibria.sim.plugin import Settings


class WindyWalkSettings(Settings):
    """Three corridors against the wind."""

    strengths: int = Field(default=25, ge=1, le=10_000, description="Number of wind strengths alpha.")
    strongest: float = Field(default=0.5, ge=0, le=1, description="Largest alpha.")
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor gamma.")


class WindyWalkModelsSettings(WindyWalkSettings):
    """The windy walk as worlds for learners."""

    strengths: int = Field(default=25, ge=1, le=50, description="Number of wind strengths alpha.")
    horizon: int = Field(default=100, ge=1, le=10_000, description="Steps after which an episode is cut.")


class InventorySettings(Settings):
    """A store that does not know mean demand."""

    lowest: float = Field(default=2.0, gt=0, le=1000, description="Lowest mean demand per period.")
    highest: float = Field(default=8.0, gt=0, le=1000, description="Highest mean demand per period.")
    models: int = Field(default=25, ge=1, le=50, description="Mean demands on the grid; the middle one is nominal.")
    stock: int = Field(default=20, ge=1, le=500, description="Room for stock.")
    backlog: int = Field(default=10, ge=0, le=500, description="Customers that wait; others go elsewhere.")
    orders: int = Field(default=12, ge=1, le=500, description="Largest order.")
    order_cost: float = Field(default=0.1, ge=0, description="Cost per unit ordered.")
    holding_cost: float = Field(default=0.05, ge=0, description="Cost per unit in stock and period.")
    waiting_cost: float = Field(default=0.5, ge=0, description="Cost per waiting customer and period.")
    discount: float = Field(default=0.95, ge=0, lt=1, description="Discount factor gamma.")


class InventoryModelsSettings(InventorySettings):
    """The store as worlds for learners."""

    horizon: int = Field(default=100, ge=1, le=10_000, description="Steps after which an episode is cut.")


class RandomRectangularSettings(Settings):
    """A random robust process; nature chooses a candidate per state and action."""

    states: int = Field(default=5, ge=1, le=1000, description="Number of states.")
    actions: int = Field(default=3, ge=1, le=100, description="Number of actions.")
    candidates: int = Field(default=4, ge=1, le=100, description="Candidate kernels per state and action.")
    discount: float = Field(default=0.9, ge=0, lt=1, description="Discount factor gamma.")


class PolicyPayoffsSettings(Settings):
    """Policies against changing opponents."""

    payoffs: list[list[float]] = Field(
        default=[[float(x) for x in row] for row in EXAMPLE],
        min_length=1,
        description="Payoff by policy (row) and opponent (column).",
    )
    scale: float = Field(default=10.0, gt=0, description="Payoff that counts as reward 1.")


class LafferSettings(Settings):
    """The tax rate of one worker."""

    first: float = Field(default=0.1, ge=0, le=1, description="Tax rate where the search begins.")
    levels: int = Field(default=101, ge=2, le=10_000, description="Number of effort levels.")


class PostedPriceSettings(Settings):
    """The price for one buyer."""

    first: float = Field(default=0.1, ge=0, le=1, description="Price where the search begins.")
    values: int = Field(default=101, ge=2, le=10_000, description="Number of equally likely values.")
