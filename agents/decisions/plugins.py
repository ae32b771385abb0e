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
from equilibria.sim.plugin import Plugin, Settings

_HERE = "equilibria.agents.decisions"
_DU = "Du, Srikant, Chen (2024), Cascading Reinforcement Learning, ICLR, arXiv 2401.08961"
_XU = "Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919"


def _agent(name: str, summary: str, target: str, settings: type[Settings], forms: tuple[str, ...], reference: str,
           requires: str = "") -> Plugin:  # fmt: skip
    return Plugin(
        kind="agent",
        name=name,
        summary=summary,
        target=f"{_HERE}.{target}",
        settings=settings,
        engines=("extensive",),
        forms=forms,
        requires=requires,
        modules=("torch",) if requires else (),
        reference=reference,
        produces="solver",
    )


cascading_vi = _agent("cascading_vi", "Optimistic value iteration over lists (CascadingVI)", "cascading:build_vi",
                      CascadingVISettings, ("cascading",), _DU)  # fmt: skip
cascading_greedy = _agent("cascading_greedy", "Lists by estimates, at times at random (epsilon-greedy)",
                          "cascading:build_greedy", CascadingGreedySettings, ("cascading",), "baseline of " + _DU)  # fmt: skip
restless_rule = _agent("restless_rule", "Rules from random sets to index policies and the exact programme",
                       "restless:build", RestlessRuleSettings, ("restless",),
                       _XU + "; Whittle (1988); Brown and Smith (2020)")  # fmt: skip
_CAI = "Cai et al. (2023), Two-Stage Constrained Actor-Critic for Short Video Recommendation, WWW, arXiv 2302.01680"
sequoia = _agent("sequoia", "A cost network minimised over feasible sets of arms (SEQUOIA)", "sequoia:build",
                 SequoiaSettings, ("restless",), _XU, "learn")  # fmt: skip
feed_rule = _agent("feed_rule", "Recommends at random, by watch time now or by quality", "feed_rules:build",
                   FeedRuleSettings, ("feed",), "baseline")  # fmt: skip
feed_actor_critic = _agent("feed_actor_critic", "Actor-critic on watch time alone", "feed:build_ac",
                           FeedACSettings, ("feed",), "baseline of " + _CAI, "learn")  # fmt: skip
tscac = _agent("tscac", "Two-stage constrained actor-critic: watch time near policies for likes and shares",
               "feed:build_tscac", TSCACSettings, ("feed",), _CAI, "learn")  # fmt: skip
