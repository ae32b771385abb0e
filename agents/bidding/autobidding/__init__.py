"""Bidders of the AuctionNet world; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "ConstantBidder": "bidders",
    "OfflineBidder": "offline",
    "OfflinePolicy": "offline",
    "OnlineProgramBidder": "bidders",
    "PIDBidder": "bidders",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bidding.autobidding", _PUBLIC)
