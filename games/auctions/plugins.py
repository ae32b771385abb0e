"""Registry descriptors of the sealed-bid auctions and their metrics; imports nothing heavy."""

from __future__ import annotations

from typing import Literal

from equilibria.games.auctions.menu_settings import MenuGameSettings
from equilibria.games.auctions.sealed_bid_settings import SealedBidSettings, SealedBidTreeSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.auctions"
_REFERENCE = "Harsanyi (1967), Management Science 14; Krishna (2010), Auction Theory, chapters 2 to 4"

sealed_bid_auction = Plugin(
    kind="game",
    name="sealed_bid_auction",
    summary="One item, independent private values and bids on grids, exact interim losses.",
    target=f"{_HERE}.sealed_bid:build",
    settings=SealedBidSettings,
    engines=("extensive",),
    forms=("sealed_bid",),
    reference=_REFERENCE,
)
sealed_bid_tree = Plugin(
    kind="game",
    name="sealed_bid_tree",
    summary="The sealed-bid auction as an extensive-form game, for every tabular solver; small grids.",
    target=f"{_HERE}.sealed_bid:build_tree",
    settings=SealedBidTreeSettings,
    engines=("extensive",),
    forms=("extensive",),
    reference=_REFERENCE,
)
menu_sale = Plugin(
    kind="game",
    name="menu_sale",
    summary="Several items for one bidder or some alike; the designer chooses the menu or the auction.",
    target=f"{_HERE}.menus:build",
    settings=MenuGameSettings,
    engines=("extensive",),
    forms=("menu",),
    reference="Manelli and Vincent (2006), Journal of Economic Theory 127",
)


def _metric(
    name: str, summary: str, function: str, unit: str = "money per auction",
    direction: Literal["lower", "higher", "none"] = "lower", form: str = "sealed_bid",
) -> Plugin:  # fmt: skip
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.sealed_bid_metrics:{function}",
        engines=("extensive",),
        forms=(form,),
        unit=unit,
        direction=direction,
    )


auction_nash_conv = _metric("auction_nash_conv", "Sum of the bidders' ex-ante best-response gains.", "nash_conv")
interim_loss = _metric("interim_loss", "Largest loss of a type against its best bid.", "interim_loss")
auction_revenue = _metric("auction_revenue", "Expected sum of payments.", "revenue", direction="none")
bid_error = _metric(
    "bid_error", "Largest distance of mean bids from the closed form, values above a tenth.", "bid_error", "money"
)
bid_l2 = _metric(
    "bid_l2", "Largest root mean square distance of a bidder's mean bids from the closed form, all types.", "bid_l2",
    "money",
)  # fmt: skip
menu_revenue = _metric(
    "menu_revenue", "Revenue of the menu on a fixed sample.", "menu_revenue", "money per sale", "higher", "menu"
)
menu_revenue_share = _metric(
    "menu_revenue_share", "Revenue of the menu over the optimum, paired with the optimal menu.", "menu_revenue_share",
    "share of the optimum", "higher", "menu",
)  # fmt: skip
auction_regret = _metric(
    "auction_regret", "Regret of a learned auction's bidders that short ascents find.", "auction_regret",
    "money per sale", form="menu",
)  # fmt: skip
