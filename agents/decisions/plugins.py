"""Descriptors of the agents for decision environments."""

from __future__ import annotations

from equilibria.agents.decisions.settings import (
    CascadingGreedySettings,
    CascadingVISettings,
    FeedACSettings,
    FeedRuleSettings,
    RestlessRuleSettings,
    SequoiaSettings,
    TSCACSettings,
)
from equilibria.sim.plugin import Family

_DU = "Du, Srikant, Chen (2024), Cascading Reinforcement Learning, ICLR, arXiv 2401.08961"
_XU = "Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919"

_FAMILY = Family(package="equilibria.agents.decisions", engines=("extensive",), forms=("feed",))

cascading_vi = _FAMILY.agent(
    "cascading_vi",
    "Optimistic value iteration over lists (CascadingVI)",
    "cascading:build_vi",
    CascadingVISettings,
    forms=("cascading",),
    reference=_DU,
)
cascading_greedy = _FAMILY.agent(
    "cascading_greedy",
    "Lists by estimates, at times at random (epsilon-greedy)",
    "cascading:build_greedy",
    CascadingGreedySettings,
    forms=("cascading",),
    reference="baseline of " + _DU,
)
restless_rule = _FAMILY.agent(
    "restless_rule",
    "Rules from random sets to index policies and the exact programme",
    "restless:build",
    RestlessRuleSettings,
    forms=("restless",),
    reference=_XU + "; Whittle (1988); Brown and Smith (2020)",
)
_CAI = "Cai et al. (2023), Two-Stage Constrained Actor-Critic for Short Video Recommendation, WWW, arXiv 2302.01680"
sequoia = _FAMILY.agent(
    "sequoia",
    "A cost network minimised over feasible sets of arms (SEQUOIA)",
    "sequoia:build",
    SequoiaSettings,
    forms=("restless",),
    requires="learn",
    modules=("torch",),
    reference=_XU,
)
feed_rule = _FAMILY.agent(
    "feed_rule",
    "Recommends at random, by watch time now or by quality",
    "feed_rules:build",
    FeedRuleSettings,
    reference="baseline",
)
feed_actor_critic = _FAMILY.agent(
    "feed_actor_critic",
    "Actor-critic on watch time alone",
    "feed:build_ac",
    FeedACSettings,
    requires="learn",
    modules=("torch",),
    reference="baseline of " + _CAI,
)
tscac = _FAMILY.agent(
    "tscac",
    "Two-stage constrained actor-critic: watch time near policies for likes and shares",
    "feed:build_tscac",
    TSCACSettings,
    requires="learn",
    modules=("torch",),
    reference=_CAI,
)
