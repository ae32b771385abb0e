"""Descriptors of the regret minimisers."""

from __future__ import annotations

from equilibria.agents.solvers.regret.settings import SETTINGS
from equilibria.sim.plugin import Family, Plugin

_FAMILY = Family(package="equilibria.agents.solvers.regret", engines=("extensive",), forms=("extensive",))


def _descriptor(name: str, summary: str, reference: str) -> Plugin:
    return _FAMILY.agent(name, summary, f"build:{name}", SETTINGS[name], reference=reference)


_DISCOUNTED = "Brown and Sandholm (2019), arXiv:1809.04040"
_PREDICTIVE = "Xu et al. (2024), arXiv:2404.13891"
_SCHEDULES = "Zhang, McAleer, Sandholm (2026), arXiv:2404.09097"
_DISCOVERED = "Li, Schultz, Hennes, Lanctot (2026), arXiv:2602.16928"

cfr = _descriptor("cfr", "Counterfactual regret minimisation", "Zinkevich et al. (2007), NeurIPS 20")
cfr_plus = _descriptor("cfr_plus", "CFR+: clipped regrets, linear averaging", "Tammelin (2014), arXiv:1407.5042")
linear_cfr = _descriptor("linear_cfr", "Linear CFR: regrets and policies weigh t", _DISCOUNTED)
dcfr = _descriptor("dcfr", "Discounted CFR, default (1.5, 0, 2)", _DISCOUNTED)
dcfr_plus = _descriptor("dcfr_plus", "DCFR+: discounted and clipped", _PREDICTIVE)
pcfr_plus = _descriptor("pcfr_plus", "Predictive CFR+", "Farina, Kroer, Sandholm (2021), arXiv:2007.14358")
pdcfr_plus = _descriptor("pdcfr_plus", "Predictive discounted CFR+ (also DPCFR+)", _PREDICTIVE)
hs_dcfr = _descriptor("hs_dcfr", "DCFR with hyperparameter schedules over the budget", _SCHEDULES)
hs_pcfr_plus = _descriptor("hs_pcfr_plus", "PCFR+ with an averaging schedule over the budget", _SCHEDULES)
vad_cfr = _descriptor("vad_cfr", "Volatility-adaptive discounted CFR", f"{_DISCOVERED}, appendix")
wop_cfr = _descriptor("wop_cfr", "Warm-started optimistic predictive CFR", f"{_DISCOVERED} v3; exponent by ablation")
aod_cfr = _descriptor("aod_cfr", "Asymmetric optimistic discounted CFR", f"{_DISCOVERED} v1, appendix")
