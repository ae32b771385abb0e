"""A bidding market as a vector world: once per control interval every bidder chooses a bid multiplier.

An episode is T requests in intervals of equal length.  Within an interval bidder i bids
min(floor(m_i v theta_i), P, money left) on every request, v the training cost per click; the highest
bid wins if it reaches the residual price (ties: the bidder whose number follows the request's number
modulo N) and pays the larger of the second bid and that price.  A bidder's theta is the shared one with
probability ``correlation``, else that of another request.

Observation, float32 [8]: elapsed share of the episode, share of the budget left, spend of the last
interval over an even share, win rate of the last interval times N, mean theta of the last interval over the
training mean, mean price paid / P, own multiplier over the largest, phase of the stream (0 .. 1).
Reward: expected clicks won in the interval over those of all its requests, times N.

The stream is drawn once and shared by all worlds; each episode takes a stretch of it that follows from
(key, step, world), so worlds depend neither on the batch nor on threads.

Source: Cai et al. (2017), WSDM, for the requests; the market and its steps are ours.
Cost: about 20 ns per request and bidder.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.auctions.rtb.requests import training
from equilibria.games.auctions.rtb.rules import MAX_PRICE
from equilibria.games.auctions.rtb.settings import StepMarketSettings
from equilibria.games.auctions.rtb.synthetic import Source
from equilibria.games.vector.base import VectorWorld, WorldState
from equilibria.sim.contract import Role
from equilibria.sim.errors import InvalidValue
from equilibria.sim.jit import kernel
from equilibria.sim.philox import bounded, words
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray

OBSERVED = 8
HIGHEST = 10.0
"""Entries of an observation are cut here."""
_FIELDS = 4  # spent, wins, sum of theta, clicks expected


class StepMarket(VectorWorld):
    """Budgeted bidders who set multipliers; see the module.

    Args:
        settings: Traffic, budgets, bidders and multipliers.
        seeds: Source of the traffic.

    Raises:
        InvalidValue: If the interval does not divide the episode, or the stream is shorter than an episode.
    """

    name = "rtb_steps"

    def __init__(self, settings: StepMarketSettings, *, seeds: SeedTree, check_actions: bool = True) -> None:
        s = self.settings = settings
        if s.episode_length % s.interval or s.episode_length > s.test_requests:
            raise InvalidValue(
                f"interval must divide episode_length, and test_requests must be at least that, got {s.interval}, "
                f"{s.episode_length} and {s.test_requests}"
            )
        role = Role(count=s.bidders, observation=(OBSERVED,), actions=len(s.multipliers))
        super().__init__(
            {"bidder": role}, horizon=s.episode_length // s.interval, end="terminated", bounds=(0.0, HIGHEST),
            check_actions=check_actions,
        )  # fmt: skip
        source = Source(s.campaign, s.mode, seeds.child("traffic"))
        self.plan = training(
            source.train(s.train_requests), length=s.episode_length, budget_fraction=s.budget_fraction, expected=True
        )
        self.requests = source.test(s.test_requests)
        self.multipliers = np.array(s.multipliers)
        self._threshold = np.uint64(min(s.correlation, 1.0) * 2**32)

    def _allocate(self, batch: int) -> dict[str, AnyArray]:
        return {
            "left": np.zeros((batch, self.agents), np.int64),
            "offset": np.zeros(batch, np.int64),
            "last": np.zeros((batch, self.agents, _FIELDS)),
        }

    def _begin(self, state: WorldState) -> None:
        left, offset = state.own["left"], state.own["offset"]
        for world in range(state.batch):
            left[world] = self.plan.budget
            offset[world] = _offset(state.key, 0, world, self._places())
            self._observe(state, world)

    def _places(self) -> int:
        return self.requests.count - self.settings.episode_length + 1

    def _observe(self, state: WorldState, world: int) -> None:
        write_observation(
            state.observation[world], 0, self.horizon, state.own["left"][world], self.plan.budget,
            state.own["last"][world], self.settings.interval, self.plan.theta_mean, 0.0,
            state.own["offset"][world] / self.requests.count,
        )  # fmt: skip
        state.observation[world, :, 6] = 0.0

    def _advance(self, state: WorldState) -> None:
        r = self.requests
        advance(
            state.key, state.clock, self.horizon, self.settings.interval, r.theta, r.price, r.truth, self._threshold,
            self.plan.cpc, self.plan.theta_mean, self.plan.budget, self.multipliers, self._places(), state.elapsed,
            state.own["left"], state.own["offset"], state.own["last"], state.actions, state.reward, state.observation,
            state.final_observation, state.ended,
        )  # fmt: skip


@kernel
def _offset(key, clock, world, places):  # type: ignore[no-untyped-def]
    """Return the first request of the episode that a world begins after step ``clock``."""
    return bounded(words(key, clock, world, 2**31)[0], places)


@kernel
def advance(  # type: ignore[no-untyped-def]
    key, clock, horizon, interval, theta, price, truth, threshold, worth, theta_mean, budget, multipliers, places,
    elapsed, left, offset, last, actions, reward, observation, final_observation, ended,
):  # fmt: skip
    """Play one interval of every world; end and begin episodes.

    Args:
        key: Key of the random numbers.
        clock: Number of the step, from 1.
        horizon: Intervals per episode.
        interval: Requests per interval.
        theta: float64 [n] stream of click probabilities.
        price: uint16 [n] residual prices.
        truth: float64 [n] true click probabilities.
        threshold: uint64, the shared request is seen when a 32-bit word is below it.
        worth: Bid per unit of theta at multiplier 1.
        theta_mean: Mean click probability of the training stream.
        budget: Money per episode.
        multipliers: float64 [A].
        places: Number of possible first requests of an episode.
        elapsed: int64 [B].
        left: int64 [B, N] money.
        offset: int64 [B] first request of the episode.
        last: float64 [B, N, 4] spent, wins, sum of theta, clicks expected in the last interval.
        actions: int64 [B, N].
        reward: float64 [B, N], overwritten.
        observation: float32 [B, N, 8], overwritten.
        final_observation: float32 [B, N, 8], rows of ended episodes are overwritten.
        ended: bool [B], overwritten.
    """
    worlds, bidders = actions.shape
    n = np.uint64(theta.shape[0])
    span = np.uint64(4294967296) - threshold
    seen = np.empty(bidders, np.int64)
    for w in range(worlds):
        last[w] = 0.0
        total = 0.0
        for i in range(interval):
            at = offset[w] + elapsed[w] * interval + i
            step = np.int64(clock) * interval + i
            total += truth[at]
            for block in range(0, bidders, 4):
                drawn = words(key, step, w, block)
                for k in range(block, min(block + 4, bidders)):
                    word = drawn[k - block]
                    seen[k] = at
                    if word >= threshold:
                        seen[k] = np.int64((word - threshold) * n // span)
            floor = np.int64(price[at])
            best = second = floor - 1
            winner = -1
            k = at % bidders
            for _ in range(bidders):
                x = theta[seen[k]]
                last[w, k, 2] += x
                bid = np.int64(min(multipliers[actions[w, k]] * worth * x, np.float64(min(left[w, k], MAX_PRICE))))
                if bid > best:
                    best, second, winner = bid, best, k
                elif bid > second:
                    second = bid
                k = k + 1 if k + 1 < bidders else 0
            if winner >= 0:
                paid = max(second, floor)
                left[w, winner] -= paid
                last[w, winner, 0] += paid
                last[w, winner, 1] += 1.0
                last[w, winner, 3] += truth[seen[winner]]
        for k in range(bidders):
            reward[w, k] = last[w, k, 3] / max(total, 1e-300) * bidders
        elapsed[w] += 1
        ended[w] = elapsed[w] == horizon
        phase = (offset[w] + elapsed[w] * interval) / theta.shape[0]
        write_observation(
            observation[w], elapsed[w], horizon, left[w], budget, last[w], interval, theta_mean, 1.0, phase
        )
        for k in range(bidders):
            observation[w, k, 6] = multipliers[actions[w, k]] / multipliers[-1]
        if ended[w]:
            final_observation[w] = observation[w]
            elapsed[w] = 0
            left[w] = budget
            last[w] = 0.0
            offset[w] = _offset(key, clock, w, places)
            write_observation(
                observation[w], 0, horizon, left[w], budget, last[w], interval, theta_mean, 0.0,
                offset[w] / theta.shape[0],
            )  # fmt: skip
            observation[w, :, 6] = 0.0


@kernel
def write_observation(out, elapsed, horizon, left, budget, last, interval, theta_mean, played, phase):  # type: ignore[no-untyped-def]
    """Write the observations [N, 8] of a world; entry 6, the multiplier, is the caller's."""
    bidders = out.shape[0]
    even = max(budget / horizon, 1.0)
    for k in range(bidders):
        out[k, 0] = elapsed / horizon
        out[k, 1] = left[k] / max(budget, 1)
        out[k, 2] = min(last[k, 0] / even, HIGHEST)
        out[k, 3] = min(last[k, 1] / interval * bidders, HIGHEST)
        out[k, 4] = min(last[k, 2] / interval / theta_mean, HIGHEST) if played > 0.0 else 0.0
        out[k, 5] = last[k, 0] / last[k, 1] / MAX_PRICE if last[k, 1] > 0.0 else 0.0
        out[k, 7] = phase


def build(settings: StepMarketSettings, *, seeds: SeedTree) -> StepMarket:
    """Build the world; its traffic follows from the run's seed."""
    return StepMarket(settings, seeds=seeds)
