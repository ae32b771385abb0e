"""Descriptors of the bidders of contextual auctions."""

from __future__ import annotations

from equilibria.agents.bidding.contextual.settings import (
    PolicySettings,
    ShadingSettings,
    TruthfulSettings,
    ValueSettings,
)
from equilibria.sim.plugin import Plugin, Settings

_JEUNEN = "Jeunen, Murphy, Allison (2023), Off-Policy Learning-to-Bid with AuctionGym, KDD"


def _agent(name: str, summary: str, target: str, settings: type[Settings]) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"equilibria.agents.bidding.contextual.bidders:{target}",
        settings=settings,
        engines=("population",),
        forms=("contextual_auctions",),
        reference=_JEUNEN,
        produces="agent",
    )


truthful_bidder = _agent(
    "truthful_bidder", "Bids the estimated value of its best ad", "build_truthful", TruthfulSettings
)
shading_bidder = _agent(
    "shading_bidder", "Shades by the factor whose bucket earned most", "build_shading", ShadingSettings
)
value_bidder = _agent(
    "value_bidder", "Learns win rates and searches the best shading factor", "build_value", ValueSettings
)
policy_bidder = _agent(
    "policy_bidder", "Learns a shading policy (REINFORCE, IPS, PPO, doubly robust)", "build_policy", PolicySettings
)
