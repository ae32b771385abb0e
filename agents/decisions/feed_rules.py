"""Rules for the feed, the certificate of recommenders, and simulated sessions."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from equilibria.agents.decisions.settings import FeedRuleSettings
from equilibria.games.decisions.feed import REWARDS, FeedWorld, Policy
from equilibria.games.vector.base import WorldState
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import unknown_name
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray


class FrontierTable:
    """Offers the table ``frontier``: see ``FeedWorld.frontier_table``."""

    table_names: ClassVar[tuple[str, ...]] = ("frontier",)
    game: FeedWorld

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return a table.

        Raises:
            UnknownName: If there is no table of that name.
        """
        if name not in self.table_names:
            raise unknown_name("table", name, self.table_names)
        return self.game.frontier_table()


class FeedRule(FrontierTable):
    """A rule that does not learn: uniform, most watch time now, or best quality.

    Args:
        world: The feed.
        rule: ``uniform``, ``watch`` or ``quality``.
    """

    def __init__(self, world: FeedWorld, rule: str) -> None:
        self.game, self.rule = world, rule
        self._iteration = 0

    @property
    def iteration(self) -> int:
        """Steps done; nothing changes."""
        return self._iteration

    def step(self, n: int = 1) -> None:
        """Do nothing ``n`` times."""
        self._iteration += n

    def policy(self) -> Policy:
        """Return the rule as probabilities."""
        return self._probabilities

    def metrics(self) -> dict[str, Any]:
        """Return the returns per session by reward."""
        return {"session_return": dict(zip(REWARDS, self.game.returns(self.policy()).tolist(), strict=True))}

    def save(self) -> State:
        """Return the number of steps."""
        return State({}, {"iteration": self._iteration})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._iteration = int(str(state.meta["iteration"]))

    def certificate(self) -> Certificate:
        """Return the distance of the watch time from the frontier at the rule's likes and shares."""
        return judge(self.game, self.game.returns(self.policy()))

    def _probabilities(self, observation: FloatArray) -> FloatArray:
        g = self.game
        if self.rule == "uniform":
            return np.full((len(observation), g.settings.items), 1.0 / g.settings.items)
        score = np.broadcast_to(g.quality, (len(observation), g.settings.items))
        if self.rule == "watch":
            score = observation[:, :4] @ g.topics.T + g.settings.clickbait * g.bait
        return np.asarray(np.eye(g.settings.items)[score.argmax(axis=1)])


def judge(world: FeedWorld, returns: FloatArray) -> Certificate:
    """Return the certificate of a policy with watch time, likes and shares ``returns`` [3]."""
    main, likes, shares = (float(x) for x in returns)
    best, most = world.best_main(), world.most_main(likes, shares)
    return Certificate(
        measure="watch time below the frontier",
        value=max(0.0, most - main),
        unit="watch time per session",
        kind="estimate",
        method="dynamic programmes with weighted likes and shares on a grid of fatigue, and the policy's value on the "
        "same grid and users",
        details={
            "watch_time": main, "likes": likes, "shares": shares, "best_watch_time": best,
            "share_of_best": main / best, "most_watch_time_at_these_likes_and_shares": most,
        },
        warning="the frontier is an upper bound: no policy need reach it",
    )  # fmt: skip


def play(world: FeedWorld, policy: Policy, sessions: int, key: int) -> FloatArray:
    """Return watch time, likes and shares of simulated sessions [sessions, 3] (the first one of each of B worlds)."""
    state: WorldState = world.reset(key, sessions)
    rng = np.random.default_rng(key)
    totals, alive = np.zeros((sessions, 3)), np.ones(sessions, np.bool_)
    while alive.any():
        p = policy(state.observation[:, 0].astype(np.float64))
        drawn = (rng.random((sessions, 1)) > np.cumsum(p, axis=1)).sum(axis=1)
        world.step(state, {"recommender": np.minimum(drawn, p.shape[1] - 1)[:, None].astype(np.int64)})
        totals[alive, 0] += state.reward[alive, 0]
        totals[alive, 1:] += np.asarray(state.own["extra"], np.float64)[alive]
        alive &= ~state.ended
    return totals


def build(settings: FeedRuleSettings, *, game: FeedWorld, roles: Any, seeds: SeedTree, budget: int) -> FeedRule:
    """Build a rule."""
    return FeedRule(game, settings.rule)
