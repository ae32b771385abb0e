"""Bidding agents for real-time auctions; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "AdaptivePacing": "pacing",
    "BidBandit": "bandit",
    "Lin": "linear",
    "Mcpc": "linear",
    "ORTB": "ortb",
    "PIDPacing": "pacing",
    "RLB": "rlb",
    "RLBLong": "long",
    "RLBTheta": "rlb",
    "SSMDP": "rlb",
    "ValueNetwork": "network",
    "solve": "value",
    "solve_spread": "value",
    "tune_linear": "linear",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bidding", _PUBLIC)
