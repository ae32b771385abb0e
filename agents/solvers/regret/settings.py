"""Parameters of the regret minimisers; light, for descriptors and documentation.

Symbols of the papers stand in brackets at the end of each description.
"""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from equilibria.sim.plugin import Settings

_POSITIVE = 1e-12


class RegretSettings(Settings):
    """What all regret minimisers share."""

    alternating: bool = Field(
        default=True,
        description="Update the players one after the other within an iteration; false updates all at once",
    )
    zero_tol: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="Instantaneous regrets below it count as zero; default 1e-15 times the payoff range, 0 switches it off",
    )
    normalise: bool = Field(default=False, description="Divide payoffs by half their range inside the solver")


class WarmSettings(RegretSettings):
    """Methods whose average starts late."""

    warm_start: int | None = Field(
        default=None,
        ge=0,
        description="First iteration (0-based) that enters the average; default half the budget, 500 without one [WARM]",
    )
    allow_uniform_average: bool = Field(
        default=False, description="Permit a warm start beyond the budget; the average policy then stays uniform"
    )


class CFRSettings(RegretSettings):
    """Vanilla CFR has no parameters of its own."""


class CFRPlusSettings(RegretSettings):
    """CFR+: clipped regrets, weighted average."""

    gamma: float = Field(default=1.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma")


class LinearCFRSettings(RegretSettings):
    """Linear CFR has no parameters of its own."""


class DCFRSettings(RegretSettings):
    """Discounted CFR."""

    alpha: float = Field(default=1.5, ge=-100.0, le=100.0, description="Discount exponent of positive regrets")
    beta: float = Field(default=0.0, ge=-100.0, le=100.0, description="Discount exponent of negative regrets")
    gamma: float = Field(default=2.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma")
    index_shift: int = Field(default=0, ge=0, le=1, description="0 discounts with t - 1, as published; 1 with t")


class DCFRPlusSettings(RegretSettings):
    """DCFR+."""

    alpha: float = Field(default=1.5, ge=-100.0, le=100.0, description="Discount exponent of regrets")
    gamma: float = Field(default=4.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma")


class PCFRPlusSettings(RegretSettings):
    """Predictive CFR+."""

    gamma: float = Field(default=2.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma")


class PDCFRPlusSettings(RegretSettings):
    """Predictive discounted CFR+."""

    alpha: float = Field(default=2.3, ge=-100.0, le=100.0, description="Discount exponent of regrets")
    gamma: float = Field(default=5.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma")


class HSSettings(RegretSettings):
    """Hyperparameter schedules; they need the planned number of iterations."""

    gamma: float = Field(
        default=30.0, ge=5.0, le=100.0, description="Averaging exponent at the start; falls by 5 over the budget [g]"
    )
    beyond_budget: Literal["error", "hold"] = Field(
        default="error", description="Iterations beyond the budget: an error, or the last schedule value"
    )


class VADCFRSettings(WarmSettings):
    """Volatility-adaptive discounted CFR; defaults are the published values."""

    alpha: float = Field(
        default=1.5, ge=-100.0, le=100.0, description="Base discount exponent of positive regrets [ALPHA0]"
    )
    beta: float = Field(
        default=-0.1, ge=-100.0, le=100.0, description="Base discount exponent of negative regrets [BETA0]"
    )
    sensitivity: float = Field(
        default=0.5, ge=0.0, le=100.0, description="Effect of volatility on exponents and optimism [SENS]"
    )
    volatility_range: float = Field(
        default=2.0, ge=_POSITIVE, le=1e12, description="Regret that counts as volatility 1 [RMAX]"
    )
    boost: float = Field(default=1.1, ge=0.0, le=100.0, description="Factor on positive instantaneous regrets [BOOST]")
    ewma_weight: float = Field(default=0.1, ge=0.0, le=1.0, description="Weight of the newest regret magnitude [EWMA]")
    ewma_scope: Literal["infoset", "global"] = Field(
        default="infoset", description="One moving average per infoset, or one for all (depends on the visiting order)"
    )
    regret_floor: float | None = Field(
        default=-20.0, le=0.0, ge=-1e300, description="Lower bound of cumulative regrets, null for none [RCAP]"
    )
    optimism: float = Field(
        default=1.0, ge=0.0, le=100.0, description="Weight of the predicted regret at the start [OPT0]"
    )
    optimism_decay: float = Field(
        default=100.0, ge=_POSITIVE, le=1e12, description="Iterations after which optimism has halved [OPTDEC]"
    )
    exponent: float = Field(default=1.5, ge=0.01, le=20.0, description="Exponent of projected positive regrets [EXPO]")
    gamma: float = Field(default=2.0, ge=0.0, le=20.0, description="Base averaging exponent [GAMMA0]")
    gamma_max: float = Field(default=4.0, ge=0.0, le=20.0, description="Largest averaging exponent [GAMMAMAX]")
    gamma_sensitivity: float = Field(
        default=1.5, ge=0.0, le=20.0, description="Effect of volatility on averaging [GAMMASENS]"
    )
    stability_exponent: float = Field(default=1.5, ge=0.0, le=20.0, description="Damping of volatile iterations [STAB]")
    magnitude_exponent: float = Field(
        default=0.5, ge=0.0, le=20.0, description="Weight of large regrets in the average [MAGEXP]"
    )
    weighting: Literal["adaptive", "plain"] = Field(
        default="adaptive", description="Averaging weights as published, or t**gamma only (for ablations)"
    )


class WOPCFRSettings(WarmSettings):
    """Warm-started optimistic predictive CFR, as a row of the rule table."""

    gamma: float = Field(
        default=2.0, ge=0.0, le=100.0, description="Averaging exponent: policies weigh t**gamma [GAMMA]"
    )
    optimism: float = Field(default=1.0, ge=0.0, le=100.0, description="Weight of the predicted regret [OPT]")
    exponent: float = Field(
        default=1.5, ge=0.01, le=20.0, description="Exponent of projected regrets; 1 is the literal reading [EXPO]"
    )
    clip: bool = Field(default=True, description="Clip cumulative regrets at zero")
    alpha: float | None = Field(
        default=None, ge=-100.0, le=100.0, description="Discount exponent of positive regrets, null for none"
    )
    beta: float | None = Field(
        default=None, ge=-100.0, le=100.0, description="Discount exponent of negative regrets, null for none"
    )
    boost: float = Field(default=1.0, ge=0.0, le=100.0, description="Factor on positive instantaneous regrets")
    optimism_decay: float | None = Field(
        default=None, ge=_POSITIVE, le=1e12, description="Iterations after which optimism has halved, null for never"
    )
    project_discount: bool = Field(
        default=False, description="Discount the cumulative regret once more in the prediction"
    )


class AODCFRSettings(RegretSettings):
    """Asymmetric optimistic discounted CFR."""

    ramp: float = Field(
        default=500.0, ge=1.0, le=1e12, description="Iterations over which the exponents move to their final values"
    )


DEFAULT_WARM_START = 500
"""Warm start without a budget, the published value for 1000 iterations."""


SETTINGS: dict[str, type[RegretSettings]] = {
    "cfr": CFRSettings,
    "cfr_plus": CFRPlusSettings,
    "linear_cfr": LinearCFRSettings,
    "dcfr": DCFRSettings,
    "dcfr_plus": DCFRPlusSettings,
    "pcfr_plus": PCFRPlusSettings,
    "pdcfr_plus": PDCFRPlusSettings,
    "hs_dcfr": HSSettings,
    "hs_pcfr_plus": HSSettings,
    "vad_cfr": VADCFRSettings,
    "wop_cfr": WOPCFRSettings,
    "aod_cfr": AODCFRSettings,
}
"""Settings model of every method by registry name."""
