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
from equilibria.sim.plugin import NoSettings, Plugin, Settings

_HERE = "equilibria.agents.bidding"
_CAI = "Cai et al. (2017), Real-Time Bidding by Reinforcement Learning in Display Advertising, WSDM"


def _agent(name: str, summary: str, target: str, settings: type[Settings], reference: str) -> Plugin:
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"{_HERE}.{target}",
        settings=settings,
        engines=("population",),
        forms=("bidding",),
        reference=reference,
        produces="agent",
    )


lin = _agent("lin", "Bids in proportion to the click probability, tuned on training requests", "linear:build_lin",
             LinSettings, "Perlich et al. (2012), KDD; baseline of " + _CAI)  # fmt: skip
mcpc = _agent("mcpc", "Bids the training cost per click times the click probability", "linear:build_mcpc",
              NoSettings, "baseline of " + _CAI)  # fmt: skip
ss_mdp = _agent("ss_mdp", "Bids by the value of requests and budget, blind to the single request", "rlb:build_ss_mdp",
                ValueSettings, "Yuan and Wang (2012), CIKM; baseline of " + _CAI)  # fmt: skip
ortb = _agent("ortb", "Bids concavely in theta, tuned on the training requests", "ortb:build", ORTBSettings,
              "Zhang, Yuan, Wang (2014), Optimal real-time bidding for display advertising, KDD")  # fmt: skip
rlb = _agent(
    "rlb", "Bids by the value of requests and budget (dynamic programme)", "rlb:build_rlb", ValueSettings, _CAI
)
rlb_theta = _agent("rlb_theta", "RLB whose programme knows the distribution of click probabilities",
                   "rlb:build_rlb_theta", SpreadSettings, _CAI + "; the programme is ours")  # fmt: skip
rlb_long = _agent("rlb_long", "RLB for long episodes: mapped states or segments, table or network", "long:build",
                  LongSettings, _CAI + ", section 4")  # fmt: skip
pid_pacing = _agent("pid_pacing", "Linear bids whose scale a PID controller steers to even spend", "pacing:build_pid",
                    PIDSettings, "Zhang et al. (2016), Feedback control of real-time display advertising, WSDM")  # fmt: skip
adaptive_pacing = _agent("adaptive_pacing", "Shades values by a dual multiplier that follows the spend",
                         "pacing:build_adaptive", AdaptiveSettings,
                         "Balseiro and Gur (2019), Management Science 65, 3952")  # fmt: skip
bid_bandit = _agent("bid_bandit", "A bandit over multipliers of the linear bid, one choice per episode", "bandit:build",
                    BanditSettings, "Foster and Rakhlin (2020), ICML (SquareCB); Auer et al. (2002)")  # fmt: skip
