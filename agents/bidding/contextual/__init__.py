"""Bidders of contextual auctions (AuctionGym's model); names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "LogisticAllocator": "allocator",
    "PolicyBidder": "bidders",
    "ShadingBidder": "bidders",
    "TruthfulBidder": "bidders",
    "ValueBidder": "bidders",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.agents.bidding.contextual", _PUBLIC)
