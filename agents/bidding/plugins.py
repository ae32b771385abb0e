"""Descriptors of the bidding agents."""

from __future__ import annotations

from equilibria.agents.bidding.settings import (
    AdaptiveSettings,
    BanditSettings,
    LinSettings,
    LongSettings,
    ORTBSettings,
    PIDSettings,
    SpreadSettings,
    ValueSettings,
)
from equilibria.sim.plugin import Family, NoSettings

_CAI = "Cai et al. (2017), Real-Time Bidding by Reinforcement Learning in Display Advertising, WSDM"

_FAMILY = Family(package="equilibria.agents.bidding", engines=("population",), forms=("bidding",))

lin = _FAMILY.agent(
    "lin",
    "Bids in proportion to the click probability, tuned on training requests",
    "linear:build_lin",
    LinSettings,
    reference="Perlich et al. (2012), KDD; baseline of " + _CAI,
    produces="agent",
)
mcpc = _FAMILY.agent(
    "mcpc",
    "Bids the training cost per click times the click probability",
    "linear:build_mcpc",
    NoSettings,
    reference="baseline of " + _CAI,
    produces="agent",
)
ss_mdp = _FAMILY.agent(
    "ss_mdp",
    "Bids by the value of requests and budget, blind to the single request",
    "rlb:build_ss_mdp",
    ValueSettings,
    reference="Yuan and Wang (2012), CIKM; baseline of " + _CAI,
    produces="agent",
)
ortb = _FAMILY.agent(
    "ortb",
    "Bids concavely in theta, tuned on the training requests",
    "ortb:build",
    ORTBSettings,
    reference="Zhang, Yuan, Wang (2014), Optimal real-time bidding for display advertising, KDD",
    produces="agent",
)
rlb = _FAMILY.agent(
    "rlb",
    "Bids by the value of requests and budget (dynamic programme)",
    "rlb:build_rlb",
    ValueSettings,
    reference=_CAI,
    produces="agent",
)
rlb_theta = _FAMILY.agent(
    "rlb_theta",
    "RLB whose programme knows the distribution of click probabilities",
    "rlb:build_rlb_theta",
    SpreadSettings,
    reference=_CAI + "; the programme is ours",
    produces="agent",
)
rlb_long = _FAMILY.agent(
    "rlb_long",
    "RLB for long episodes: mapped states or segments, table or network",
    "long:build",
    LongSettings,
    reference=_CAI + ", section 4",
    produces="agent",
)
pid_pacing = _FAMILY.agent(
    "pid_pacing",
    "Linear bids whose scale a PID controller steers to even spend",
    "pacing:build_pid",
    PIDSettings,
    reference="Zhang et al. (2016), Feedback control of real-time display advertising, WSDM",
    produces="agent",
)
adaptive_pacing = _FAMILY.agent(
    "adaptive_pacing",
    "Shades values by a dual multiplier that follows the spend",
    "pacing:build_adaptive",
    AdaptiveSettings,
    reference="Balseiro and Gur (2019), Management Science 65, 3952",
    produces="agent",
)
bid_bandit = _FAMILY.agent(
    "bid_bandit",
    "A bandit over multipliers of the linear bid, one choice per episode",
    "bandit:build",
    BanditSettings,
    reference="Foster and Rakhlin (2020), ICML (SquareCB); Auer et al. (2002)",
    produces="agent",
)
