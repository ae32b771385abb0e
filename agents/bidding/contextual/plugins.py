"""Descriptors of the bidders of contextual auctions."""

from __future__ import annotations

from equilibria.agents.bidding.contextual.settings import (
    PolicySettings,
    ShadingSettings,
    TruthfulSettings,
    ValueSettings,
)
from equilibria.sim.plugin import Family

_JEUNEN = "Jeunen, Murphy, Allison (2023), Off-Policy Learning-to-Bid with AuctionGym, KDD"

_FAMILY = Family(
    package="equilibria.agents.bidding.contextual",
    engines=("population",),
    forms=("contextual_auctions",),
    reference=_JEUNEN,
)

truthful_bidder = _FAMILY.agent(
    "truthful_bidder",
    "Bids the estimated value of its best ad",
    "bidders:build_truthful",
    TruthfulSettings,
    produces="agent",
)
shading_bidder = _FAMILY.agent(
    "shading_bidder",
    "Shades by the factor whose bucket earned most",
    "bidders:build_shading",
    ShadingSettings,
    produces="agent",
)
value_bidder = _FAMILY.agent(
    "value_bidder",
    "Learns win rates and searches the best shading factor",
    "bidders:build_value",
    ValueSettings,
    produces="agent",
)
policy_bidder = _FAMILY.agent(
    "policy_bidder",
    "Learns a shading policy (REINFORCE, IPS, PPO, doubly robust)",
    "bidders:build_policy",
    PolicySettings,
    produces="agent",
)
