"""Descriptors of the auto-bidders."""

from __future__ import annotations

from equilibria.agents.bidding.autobidding.settings import (
    AutoPIDSettings,
    ConstantSettings,
    OfflineSettings,
    OnlineProgramSettings,
)
from equilibria.sim.plugin import Family

_SU = "Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798"

_FAMILY = Family(package="equilibria.agents.bidding.autobidding", engines=("population",), forms=("autobidding",))

auto_pid = _FAMILY.agent(
    "auto_pid",
    "Steers its bid per conversion so that the budget lasts",
    "bidders:build_pid",
    AutoPIDSettings,
    reference=_SU,
    produces="agent",
)
auto_constant = _FAMILY.agent(
    "auto_constant",
    "Bids the same amount per predicted conversion all day",
    "bidders:build_constant",
    ConstantSettings,
    reference="baseline",
    produces="agent",
)
auto_program = _FAMILY.agent(
    "auto_program",
    "Bids by the dual price of a program over recent impressions",
    "bidders:build_online_program",
    OnlineProgramSettings,
    reference=_SU + "; online variant is ours",
    produces="agent",
)
auto_offline = _FAMILY.agent(
    "auto_offline",
    "Learns from logged days without playing: cloning, IQL, TD3 with cloning, BCQ, CQL, MOPO or COMBO",
    "offline:build",
    OfflineSettings,
    requires="learn",
    modules=("torch",),
    reference=_SU
    + "; Kostrikov et al. (2022), arXiv 2110.06169; Fujimoto and Gu (2021), arXiv 2106.06860; Fujimoto et "
    "al. (2019), arXiv 1812.02900; Kumar et al. (2020), arXiv 2006.04779; Yu et al. (2020), arXiv 2005.13239; Yu et al. "
    "(2021), arXiv 2102.08363",
    produces="agent",
)
