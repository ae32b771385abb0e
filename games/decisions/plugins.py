"""Descriptors of the decision environments and their metrics."""

from __future__ import annotations

from typing import Literal

from equilibria.games.decisions.settings import CascadingSettings, FeedSettings, RestlessSettings
from equilibria.sim.plugin import Plugin

_HERE = "equilibria.games.decisions"
CASCADING, RESTLESS, FEED = ("cascading",), ("restless",), ("feed",)

cascading = Plugin(
    kind="game",
    name="cascading",
    summary="Lists of items examined in order; the first attractive one is clicked and moves the state",
    target=f"{_HERE}.cascading:build",
    settings=CascadingSettings,
    engines=("extensive",),
    forms=CASCADING,
    reference="Du, Srikant, Chen (2024), Cascading Reinforcement Learning, ICLR, arXiv 2401.08961",
)
corestless = Plugin(
    kind="game",
    name="corestless",
    summary="Restless bandits coupled by packing or scheduling constraints",
    target=f"{_HERE}.restless:build",
    settings=RestlessSettings,
    engines=("extensive",),
    forms=RESTLESS,
    reference="Xu, Wilder, Khalil, Tambe (2025), ICLR, arXiv 2503.01919",
)
feed_cmdp = Plugin(
    kind="game",
    name="feed_cmdp",
    summary="A feed whose watch time is paid for and whose likes and shares are not",
    target=f"{_HERE}.feed:build",
    settings=FeedSettings,
    engines=("extensive",),
    forms=FEED,
    reference="trade-off of Cai et al. (2023), WWW, arXiv 2302.01680; the environment is ours",
)


def _metric(
    name: str, attribute: str, forms: tuple[str, ...], summary: str, unit: str,
    direction: Literal["lower", "higher", "none"],
) -> Plugin:  # fmt: skip
    return Plugin(
        kind="metric",
        name=name,
        summary=summary,
        target=f"{_HERE}.metrics:{attribute}",
        engines=("extensive",),
        forms=forms,
        unit=unit,
        direction=direction,
    )


regret = _metric("regret", "Regret", CASCADING, "Optimal minus achieved value, summed over episodes", "reward", "lower")
value_gap = _metric("value_gap", "ValueGap", CASCADING, "Optimal value minus that of the present policy",
                    "reward per episode", "lower")  # fmt: skip
gap_bound = _metric("gap_bound", "GapBound", CASCADING, "The learner's own bound on its value gap",
                    "reward per episode", "lower")  # fmt: skip
reward_per_step = _metric("reward_per_step", "RewardPerStep", RESTLESS, "Mean expected one-step reward",
                          "reward per step", "higher")  # fmt: skip
session_return = _metric("session_return", "SessionReturn", FEED, "Watch time, likes and shares of the present policy",
                         "reward per session", "higher")  # fmt: skip
