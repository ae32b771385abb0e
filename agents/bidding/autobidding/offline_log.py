"""Logged days of the AuctionNet world as data for learning offline.

A day gives every advertiser a trajectory of 48 steps: what it saw (13 numbers), its action a = log(multiplier / CPA
limit), and as reward the change of its running score, score = conversions min(1, (limit / CPA)^2) with the predicted
values of shown impressions as conversions.  Rewards of a day add up to its score.

Behaviour: each advertiser draws one of three rules for the day (a constant multiplier of the limit, PID, the online
program) and moves its multiplier by exp(noise), N(0, 0.2^2) for the day plus N(0, 0.15^2) per step.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from equilibria.agents.bidding.autobidding.bidders import ConstantBidder, OnlineProgramBidder, PIDBidder
from equilibria.agents.bidding.autobidding.settings import ConstantSettings
from equilibria.games.auctions.simulators.net import AuctionNet
from equilibria.games.auctions.simulators.net_bidders import NetBidder, NetProfile, NetStep, NetView, score
from equilibria.games.auctions.simulators.net_csv import Trajectory
from equilibria.games.auctions.simulators.net_replay import profile_of, step_of, view_of
from equilibria.games.auctions.simulators.net_settings import AGENTS, STEPS, TRAFFIC
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import BoolArray, FloatArray

FEATURES = 13
LOWEST, HIGHEST = -4.0, 2.0
"""Range of the actions."""
_AHEAD = np.cumsum(np.array(TRAFFIC)[::-1])[::-1] / sum(TRAFFIC)


@dataclass(frozen=True, slots=True, eq=False)
class OfflineLog:
    """Trajectories of E days and 48 advertisers.

    Attributes:
        states: float32 [E * 48, 48, 13].
        actions: float32 [E * 48, 48].
        rewards: float32 [E * 48, 48].
        live: bool [E * 48, 48], False once the money is gone.
    """

    states: NDArray[np.float32]
    actions: NDArray[np.float32]
    rewards: NDArray[np.float32]
    live: BoolArray


class Watcher:
    """What an advertiser has seen of a day, as numbers for a learner."""

    def begin(self, profile: NetProfile) -> None:
        """Begin a day."""
        self.profile = profile
        self.action = 0.0
        self._mean, self._read, self._spent, self._won = 0.0, 0, 0.0, 0.0

    def look(self, view: NetView) -> NDArray[np.float32]:
        """Return the features float32 [13] before the bids of a step."""
        p, t = self.profile, view.step
        left = view.left / p.budget
        mean = float(view.predicted.mean()) if view.predicted.size else 0.0
        for past in view.history[self._read :]:
            self._spent += float(past.totals[view.agent, 0])
            self._won += float(past.totals[view.agent, 1])
        self._read = len(view.history)
        price, wins = 0.0, 0.0
        if view.history and view.history[-1].shown.size:
            last = view.history[-1]
            wins = float(last.totals[view.agent, 2]) / last.shown.size
            least = float(last.least_winning_cost.mean())
            price = math.log(max(least, 1e-6) / max(self._mean * p.cpa_limit, 1e-6))
        self._mean = mean
        return np.array(
            [
                1.0 - t / STEPS, left, 10.0 * view.last_cost / p.budget, min(left / _AHEAD[t], 4.0),
                max(-2.0, min(2.0, math.log(max(self._spent, 1.0) / max(self._won, 0.5) / p.cpa_limit))),
                self._won / 10.0, wins,
                max(-4.0, min(4.0, price)), math.log(max(mean, 1e-6) * 1e3),
                math.log(max(view.predicted.size, 1) / 1e4), self.action, p.cpa_limit / 100.0,
                p.budget / p.cpa_limit / 40.0,
            ],
            np.float32,
        )  # fmt: skip


class LoggedBidder:
    """A rule whose multiplier is moved by noise, and the trajectory of its day."""

    def __init__(self, rule: NetBidder, offset: float, rng: np.random.Generator) -> None:
        self._rule, self._offset, self._rng = rule, offset, rng
        self._watcher = Watcher()
        self.states = np.zeros((STEPS, FEATURES), np.float32)
        self.actions, self.rewards = np.zeros(STEPS, np.float32), np.zeros(STEPS, np.float32)
        self.live = np.zeros(STEPS, np.bool_)
        self._gained, self._spent, self._score = 0.0, 0.0, 0.0

    def begin(self, profile: NetProfile) -> None:
        """Begin the day."""
        self._watcher.begin(profile)
        self._rule.begin(profile)

    def bid(self, view: NetView) -> FloatArray:
        """Return the rule's bids, moved by noise."""
        self.states[view.step] = self._watcher.look(view)
        bids = self._rule.bid(view)
        limit, total = self._watcher.profile.cpa_limit, float(view.predicted.sum())
        level = math.log(max(float(bids.sum()) / max(total, 1e-12) / limit, 1e-9))
        moved = max(LOWEST, min(HIGHEST, level + self._offset + 0.15 * float(self._rng.normal())))
        self.actions[view.step] = self._watcher.action = moved
        self.live[view.step] = True
        return np.asarray(math.exp(moved) * limit * view.predicted, np.float64)

    def learn(self, predicted: NDArray[np.float32], step: NetStep, t: int) -> None:
        """Take in the result of a step: predicted values float32 [n] and the step."""
        if not self.live[t]:
            return
        agent, limit = self._watcher.profile.agent, self._watcher.profile.cpa_limit
        shown = (np.arange(3)[:, None] < step.shown) & (step.who[:3] == agent) & (step.paid > 0.0)
        self._gained += float(predicted[shown.any(axis=0)].sum())
        self._spent += float(step.totals[agent, 0])
        now = float(score(self._gained, self._spent, limit))
        self.rewards[t] = now - self._score
        self._score = now


def behaviours(rng: np.random.Generator) -> list[NetBidder]:
    """Draw the rules of 48 advertisers for a day, with noise."""
    made: list[NetBidder] = []
    for limit_share, kind, offset in zip(
        np.exp(rng.uniform(-1.2, 0.4, AGENTS)), rng.integers(0, 3, AGENTS), rng.normal(0.0, 0.2, AGENTS), strict=True
    ):
        rule: NetBidder = PIDBidder() if kind == 0 else OnlineProgramBidder()
        if kind == 2:
            rule = _Share(float(limit_share))
        made.append(LoggedBidder(rule, float(offset), np.random.default_rng(int(rng.integers(2**32)))))
    return made


def record(world: AuctionNet, days: int, seeds: SeedTree) -> OfflineLog:
    """Play days with the behaviour rules and return their log; the world's bidders and seeds are replaced."""
    parts: list[list[LoggedBidder]] = []
    for day in range(1, days + 1):
        drawn: list[Any] = behaviours(seeds.child("behaviour", day).generator())
        world.use({f"logged_{i}": b for i, b in enumerate(drawn)})
        world.reset(seeds.child("days"))

        def watch(predicted: Any, bids: Any, step: NetStep, t: int, drawn: list[Any] = drawn) -> None:
            for i, bidder in enumerate(drawn):
                bidder.learn(predicted[i], step, t)

        world.play(day, watch)
        parts.append(drawn)
    flat = [b for day_ in parts for b in day_]
    return OfflineLog(
        states=np.stack([b.states for b in flat]), actions=np.stack([b.actions for b in flat]),
        rewards=np.stack([b.rewards for b in flat]), live=np.stack([b.live for b in flat]),
    )  # fmt: skip


def replayed(log: Iterable[Trajectory]) -> OfflineLog:
    """Return logged trajectories as data: one row of 48 steps each, the action from the logged bids.

    The multiplier of a step is the sum of bids over the sum of their predicted values, over bids above 0 (those that
    the repair of budgets dropped are 0); steps without a bid are not live.

    Raises:
        InvalidValue: If no trajectory has a bid.
    """
    made = [_Replayed(t) for t in log]
    if not any(r.live.any() for r in made):
        raise InvalidValue("the log has no bid above 0 to learn from")
    return OfflineLog(
        states=np.stack([r.states for r in made]), actions=np.stack([r.actions for r in made]),
        rewards=np.stack([r.rewards for r in made]), live=np.stack([r.live for r in made]),
    )  # fmt: skip


class _Replayed:
    """The data of one logged trajectory."""

    def __init__(self, t: Trajectory) -> None:
        self.states = np.zeros((STEPS, FEATURES), np.float32)
        self.actions, self.rewards = np.zeros(STEPS, np.float32), np.zeros(STEPS, np.float32)
        self.live = np.zeros(STEPS, np.bool_)
        watcher, history = Watcher(), list[NetStep]()
        watcher.begin(profile_of(t))
        left, gained, before = t.budget, 0.0, 0.0
        for k in range(STEPS):
            part = slice(int(t.start[k]), int(t.start[k + 1]))
            predicted, bids, slot = t.predicted[part], t.bid[part], t.slot[part]
            self.states[k] = watcher.look(view_of(t, k, left, history))
            real = (bids > 0.0) & (predicted > 0.0)
            if real.any():
                level = float(bids[real].sum()) / float(predicted[real].sum(dtype=np.float64)) / t.cpa_limit
                self.actions[k] = watcher.action = max(LOWEST, min(HIGHEST, math.log(level)))
                self.live[k] = True
            exposed = t.exposed[part] & (slot > 0)
            step = step_of(bids, t.least[part], slot, t.cost[part], exposed, t.converted[part])
            history.append(step)
            left = max(0.0, left - float(step.totals[0, 0]))
            gained += float(predicted[exposed].sum(dtype=np.float64))
            now = float(score(gained, t.budget - left, t.cpa_limit))
            self.rewards[k], before = now - before, now


class _Share:
    """A constant multiplier, a share of the own CPA limit."""

    def __init__(self, share: float) -> None:
        self._share = share
        self._inner = ConstantBidder()

    def begin(self, profile: NetProfile) -> None:
        self._inner = ConstantBidder(ConstantSettings(multiplier=self._share * profile.cpa_limit))
        self._inner.begin(profile)

    def bid(self, view: NetView) -> FloatArray:
        return self._inner.bid(view)
