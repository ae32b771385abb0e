"""Registry descriptors of the sealed-bid auctions and their metrics; imports nothing heavy."""

from __future__ import annotations

from equilibria.games.auctions.menu_settings import MenuGameSettings
from equilibria.games.auctions.sealed_bid_settings import SealedBidSettings, SealedBidTreeSettings
from equilibria.sim.plugin import Family

_REFERENCE = "Harsanyi (1967), Management Science 14; Krishna (2010), Auction Theory, chapters 2 to 4"

_FAMILY = Family(package="equilibria.games.auctions", engines=("extensive",), forms=("sealed_bid",))

sealed_bid_auction = _FAMILY.game(
    "sealed_bid_auction",
    "One item, independent private values and bids on grids, exact interim losses.",
    "sealed_bid:build",
    SealedBidSettings,
    reference=_REFERENCE,
)
sealed_bid_tree = _FAMILY.game(
    "sealed_bid_tree",
    "The sealed-bid auction as an extensive-form game, for every tabular solver; small grids.",
    "sealed_bid:build_tree",
    SealedBidTreeSettings,
    forms=("extensive",),
    reference=_REFERENCE,
)
menu_sale = _FAMILY.game(
    "menu_sale",
    "Several items for one bidder or some alike; the designer chooses the menu or the auction.",
    "menus:build",
    MenuGameSettings,
    forms=("menu",),
    reference="Manelli and Vincent (2006), Journal of Economic Theory 127",
)

auction_nash_conv = _FAMILY.metric(
    "auction_nash_conv",
    "Sum of the bidders' ex-ante best-response gains.",
    "sealed_bid_metrics:nash_conv",
    "money per auction",
    "lower",
)
interim_loss = _FAMILY.metric(
    "interim_loss",
    "Largest loss of a type against its best bid.",
    "sealed_bid_metrics:interim_loss",
    "money per auction",
    "lower",
)
auction_revenue = _FAMILY.metric(
    "auction_revenue", "Expected sum of payments.", "sealed_bid_metrics:revenue", "money per auction", "none"
)
bid_error = _FAMILY.metric(
    "bid_error",
    "Largest distance of mean bids from the closed form, values above a tenth.",
    "sealed_bid_metrics:bid_error",
    "money",
    "lower",
)
bid_l2 = _FAMILY.metric(
    "bid_l2",
    "Largest root mean square distance of a bidder's mean bids from the closed form, all types.",
    "sealed_bid_metrics:bid_l2",
    "money",
    "lower",
)
menu_revenue = _FAMILY.metric(
    "menu_revenue",
    "Revenue of the menu on a fixed sample.",
    "sealed_bid_metrics:menu_revenue",
    "money per sale",
    "higher",
    forms=("menu",),
)
menu_revenue_share = _FAMILY.metric(
    "menu_revenue_share",
    "Revenue of the menu over the optimum, paired with the optimal menu.",
    "sealed_bid_metrics:menu_revenue_share",
    "share of the optimum",
    "higher",
    forms=("menu",),
)
auction_regret = _FAMILY.metric(
    "auction_regret",
    "Regret of a learned auction's bidders that short ascents find.",
    "sealed_bid_metrics:auction_regret",
    "money per sale",
    "lower",
    forms=("menu",),
)
