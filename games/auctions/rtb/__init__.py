"""Real-time bidding: campaigns, replay, markets; names are resolved on first use."""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "BidRule": "rules",
    "Campaign": "world",
    "CampaignSettings": "settings",
    "Market": "world",
    "MarketSettings": "settings",
    "Requests": "requests",
    "Source": "synthetic",
    "Training": "requests",
    "ValueTable": "rules",
    "hindsight_bound": "judging",
    "load_ipinyou": "ipinyou",
    "load_theta": "logs",
    "second_price_with_budgets": "predrawn",
    "training": "requests",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.auctions.rtb", _PUBLIC)
