"""Descriptors of the decision environments and their metrics."""

from __future__ import annotations

from equilibria.games.decisions.settings import CascadingSettings, FeedSettings, RestlessSettings
from equilibria.sim.plugin import Family

CASCADING, RESTLESS, FEED = ("cascading",), ("restless",), ("feed",)

_FAMILY = Family(package="equilibria.games.decisions", engines=("extensive",), forms=CASCADING)

cascading = _FAMILY.game(
    "cascading",
    "Lists of items examined in order; the first attractive one is clicked and moves the state",
    "cascading:build",
    CascadingSettings,
    view="views:cascading",
    reference="Du, Srikant, Chen (2024), Cascading Reinforcement Learning, ICLR, arXiv 2401.08961",
)
corestless = _FAMILY.game(
    "corestless",
    "Restless bandits coupled by packing, schedules, walks or shared interventions",
    "restless_instances:build",
    RestlessSettings,
    forms=RESTLESS,
    view="views:corestless",
    reference="Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919",
)
feed_cmdp = _FAMILY.game(
    "feed_cmdp",
    "A feed whose watch time is paid for and whose likes and shares are not",
    "feed:build",
    FeedSettings,
    forms=FEED,
    view="views:feed",
    reference="trade-off of Cai et al. (2023), WWW, arXiv 2302.01680; the environment is ours",
)

regret = _FAMILY.metric(
    "regret", "Optimal minus achieved value, summed over episodes", "metrics:Regret", "reward", "lower"
)
value_gap = _FAMILY.metric(
    "value_gap", "Optimal value minus that of the present policy", "metrics:ValueGap", "reward per episode", "lower"
)
gap_bound = _FAMILY.metric(
    "gap_bound", "The learner's own bound on its value gap", "metrics:GapBound", "reward per episode", "lower"
)
reward_per_step = _FAMILY.metric(
    "reward_per_step",
    "Mean expected one-step reward",
    "metrics:RewardPerStep",
    "reward per step",
    "higher",
    forms=RESTLESS,
)
session_return = _FAMILY.metric(
    "session_return",
    "Watch time, likes and shares of the present policy",
    "metrics:SessionReturn",
    "reward per session",
    "higher",
    forms=FEED,
)
