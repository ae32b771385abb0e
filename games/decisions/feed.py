"""A recommendation feed with a main reward and two others that it is not paid for.

A user with taste z ~ N(0, 1)^4 and fatigue f (0 at first) is shown items k with topic, clickbait c and quality g.
Watch time softplus(z . topic + 1.5 c) (1 - f) is the main reward; a like comes with probability
sigmoid(2 g + z . topic - 3), a share with sigmoid(3 g - 4).  Fatigue moves by 0.05 c - 0.1 g within [0, 1]; the
user then leaves with probability 0.03 + 0.1 f, and after 50 items at the latest.  Topics are N(0, 0.3^2), c and g are
U[0, 1] with g lower for items of much clickbait: g = U (1 - 0.7 c).

Known answers: for a given user the process has one continuous state, so the largest main return, and the largest
weighted sum of all returns, are dynamic programmes on a grid of fatigue; policies are valued on the same grid.  For
returns (main, likes, shares) = (x, a) of any policy x <= min over weights w >= 0 of D(w) - w . a: the *frontier*.

Source: the trade-off of Cai et al. (2023), Two-stage constrained actor-critic for short video recommendation, WWW,
arXiv 2302.01680; the environment is ours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from equilibria.games.decisions import feed_kernels as kernels
from equilibria.games.decisions.settings import FeedSettings
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

GRID = 101
USERS = 64
REWARDS = ("watch_time", "likes", "shares")
_WEIGHTS = (0.0, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 10.0)

Policy = Callable[[FloatArray], FloatArray]
"""Probabilities [R, K] of the items from observations [R, 6]."""


class FeedWorld(VectorWorld):
    """The feed as a vector game with one role; likes and shares of a step stand in ``state.own["extra"]`` [B, 2].

    Observation [6]: taste, fatigue, items shown over the longest session.  Action: the item to show.  Reward: watch
    time.  Details: ``likes``, ``shares`` (0 or 1).  A user who leaves terminates the session; the longest session
    truncates it.  The exact values count nothing after it, and the clock is observed: a learner that looks for these
    values must not add a value of its own there.

    Args:
        settings: Parameters.
        seeds: Draws the items and the users of the exact values.
        check_actions: Check actions in every step.
    """

    name = "feed"

    def __init__(
        self, settings: FeedSettings | None = None, *, seeds: SeedTree | None = None, check_actions: bool = True
    ) -> None:
        self.settings = s = settings or FeedSettings()
        tree = seeds or SeedTree(0)
        super().__init__(
            {"recommender": Role(count=1, observation=(6,), actions=s.items)}, horizon=s.horizon, end="terminated",
            bounds=(-np.inf, np.inf), check_actions=check_actions,
        )  # fmt: skip
        rng = tree.child("items").generator()
        self.topics: FloatArray = rng.normal(0.0, 0.3, (s.items, 4))
        self.bait: FloatArray = rng.random(s.items)
        self.quality: FloatArray = rng.random(s.items) * (1.0 - 0.7 * self.bait)
        self.users: FloatArray = tree.child("users").generator().normal(size=(USERS, 4))
        self.numbers: FloatArray = np.array([s.clickbait, s.fatigue, s.recovery, s.leaving, s.tired_leaving])
        self._frontier: tuple[FloatArray, FloatArray] | None = None

    def frontier(self) -> tuple[FloatArray, FloatArray]:
        """Return weights [W, 2] and the largest weighted return D [W], a mean over 64 users, per session."""
        if self._frontier is None:
            weights = np.array([(a, b) for a in _WEIGHTS for b in _WEIGHTS])
            out = np.empty((len(weights), USERS))
            kernels.weighted_values(
                self.users, self.topics, self.bait, self.quality, self.numbers, self.horizon, GRID, weights, out
            )
            self._frontier = weights, out.mean(axis=1)
        return self._frontier

    def best_main(self) -> float:
        """Return the largest watch time per session."""
        return float(self.frontier()[1][0])

    def most_main(self, likes: float, shares: float) -> float:
        """Return an upper bound on the watch time of any policy with at least these likes and shares per session."""
        weights, best = self.frontier()
        return float((best - weights @ [likes, shares]).min())

    def frontier_table(self, points: int = 41) -> dict[str, AnyArray]:
        """Return the bound on watch time at levels of likes, of shares, and of their sum, one row per level.

        Columns ``reward`` (``likes``, ``shares`` or ``likes and shares``), ``level`` (per session, from 0 to where
        nothing is left for watch time) and ``watch_time`` (per session).
        """
        weights, best = self.frontier()
        likes, shares = weights.T
        rewards, levels, bounds = [], [], []
        # Whoever asks for one of them only pays nothing for the other; their sum has one weight for both.
        for name, used, price in (
            (REWARDS[1], shares == 0.0, likes), (REWARDS[2], likes == 0.0, shares),
            (" and ".join(REWARDS[1:]), likes == shares, likes),
        ):  # fmt: skip
            cost, worth = price[used], best[used]
            level = np.linspace(0.0, float((worth[cost > 0.0] / cost[cost > 0.0]).min()), points)
            rewards += [name] * points
            levels.append(level)
            bounds.append(np.maximum(0.0, (worth - np.multiply.outer(level, cost)).min(axis=1)))
        return {"reward": np.array(rewards), "level": np.concatenate(levels), "watch_time": np.concatenate(bounds)}

    def returns(self, policy: Policy) -> FloatArray:
        """Return watch time, likes and shares [3] of a policy per session, on the grid and the 64 users."""
        later, now = np.zeros((USERS, GRID, 3)), np.empty((USERS, GRID, 3))
        look = np.zeros((USERS, GRID, 6))
        look[:, :, :4] = self.users[:, None]
        look[:, :, 4] = np.linspace(0.0, 1.0, GRID)
        for t in range(self.horizon - 1, -1, -1):
            look[:, :, 5] = t / self.horizon
            p = np.asarray(policy(look.reshape(-1, 6)), np.float64).reshape(USERS, GRID, -1)
            kernels.policy_step(self.users, self.topics, self.bait, self.quality, self.numbers, p, later, now)
            later, now = now, later
        return np.asarray(later[:, 0].mean(axis=0))

    def terminated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the user left after the last item."""
        return np.asarray(state.own["left"], np.bool_)

    def truncated(self, state: WorldState) -> BoolArray:
        """Return [B] whether the last item was the last of the longest session and the user would have stayed."""
        return state.ended & ~np.asarray(state.own["left"], np.bool_)

    def details(self, state: WorldState, role: str) -> Mapping[str, AnyArray]:
        """Return likes and shares of the last item, float64 [B, 1]."""
        extra = state.own["extra"]
        return {name: extra[:, k : k + 1] for k, name in enumerate(REWARDS[1:])}

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {
            "taste": np.zeros((batch, 4)), "tired": np.zeros(batch), "extra": np.zeros((batch, 2)),
            "left": np.zeros(batch, np.bool_),
        }  # fmt: skip

    def _begin(self, state: WorldState) -> None:
        kernels.begin_all(state.key, 0, state.own["taste"], state.own["tired"], state.elapsed, state.observation)

    def _advance(self, state: WorldState) -> None:
        own = state.own
        kernels.advance(
            state.key, state.clock, self.horizon, self.topics, self.bait, self.quality, self.numbers, state.actions,
            own["taste"], own["tired"], own["extra"], own["left"], state.elapsed, state.reward, state.observation,
            state.final_observation, state.ended,
        )  # fmt: skip


def softmax(scores: FloatArray) -> FloatArray:
    """Return probabilities over the last axis."""
    e = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return np.asarray(e / e.sum(axis=-1, keepdims=True))


def build(settings: FeedSettings, *, seeds: SeedTree) -> Any:
    """Build the world."""
    return FeedWorld(settings, seeds=seeds)
