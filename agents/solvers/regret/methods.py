"""The methods as classes, for library use; parameters and defaults stand in ``settings``."""

from __future__ import annotations

from typing import ClassVar

from equilibria.agents.solvers.regret.solver import RegretMinimiser


class CFR(RegretMinimiser):
    """Counterfactual regret minimisation (Zinkevich, Johanson, Bowling, Piccione 2007)."""

    method: ClassVar[str] = "cfr"


class CFRPlus(RegretMinimiser):
    """CFR+: regrets clipped at zero, linear averaging (Tammelin 2014, arXiv:1407.5042)."""

    method: ClassVar[str] = "cfr_plus"


class LinearCFR(RegretMinimiser):
    """Linear CFR: regrets and policies weigh t (Brown and Sandholm 2019, arXiv:1809.04040)."""

    method: ClassVar[str] = "linear_cfr"


class DCFR(RegretMinimiser):
    """Discounted CFR, default (1.5, 0, 2) (Brown and Sandholm 2019, arXiv:1809.04040)."""

    method: ClassVar[str] = "dcfr"


class DCFRPlus(RegretMinimiser):
    """DCFR+: discounted and clipped (Xu et al. 2024, arXiv:2404.13891)."""

    method: ClassVar[str] = "dcfr_plus"


class PCFRPlus(RegretMinimiser):
    """Predictive CFR+: plays against the predicted next regret (Farina, Kroer, Sandholm 2021, arXiv:2007.14358)."""

    method: ClassVar[str] = "pcfr_plus"


class PDCFRPlus(RegretMinimiser):
    """Predictive discounted CFR+, also written DPCFR+ (Xu et al. 2024, arXiv:2404.13891)."""

    method: ClassVar[str] = "pdcfr_plus"


DPCFRPlus = PDCFRPlus


class HSDCFR(RegretMinimiser):
    """DCFR with hyperparameter schedules; needs ``budget`` (Zhang, McAleer, Sandholm 2026, arXiv:2404.09097)."""

    method: ClassVar[str] = "hs_dcfr"


class HSPCFRPlus(RegretMinimiser):
    """PCFR+ with an averaging schedule; needs ``budget`` (Zhang, McAleer, Sandholm 2026, arXiv:2404.09097)."""

    method: ClassVar[str] = "hs_pcfr_plus"


class VADCFR(RegretMinimiser):
    """Volatility-adaptive discounted CFR (Li, Schultz, Hennes, Lanctot 2026, arXiv:2602.16928, appendix)."""

    method: ClassVar[str] = "vad_cfr"


class WOPCFR(RegretMinimiser):
    """Warm-started optimistic predictive CFR (Li, Schultz, Hennes, Lanctot 2026, arXiv:2602.16928 v3)."""

    method: ClassVar[str] = "wop_cfr"


class AODCFR(RegretMinimiser):
    """Asymmetric optimistic discounted CFR (Li, Schultz, Hennes, Lanctot 2026, arXiv:2602.16928 v1, appendix)."""

    method: ClassVar[str] = "aod_cfr"


CLASSES: dict[str, type[RegretMinimiser]] = {
    c.method: c
    for c in (
        CFR,
        CFRPlus,
        LinearCFR,
        DCFR,
        DCFRPlus,
        PCFRPlus,
        PDCFRPlus,
        HSDCFR,
        HSPCFRPlus,
        VADCFR,
        WOPCFR,
        AODCFR,
    )
}
"""Class of every method by registry name."""
