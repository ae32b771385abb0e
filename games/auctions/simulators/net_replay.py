"""Replay of AuctionNet logs: bidders against the least winning costs of an advertiser's logged periods.

One episode is one trajectory (delivery period, advertiser) of the log, in its order.  Every agent replays it alone,
in the advertiser's place and with its budget and CPA limit; agents do not meet.  As in the published offline
evaluation a bid that reaches the least winning cost wins, pays that cost and is shown, a win converts with
probability clip(N(pValue, pValueSigma), 0, 1), who would overspend in a step loses random wins of that step, and the
score is conversions times min(1, (limit / CPA)^2).  Slots and exposure are not modelled, and rivals do not react.
The random numbers belong to impressions, so all agents meet the same conversions.  A log is played once; later
episodes change nothing.

A bid of 0 never wins (in the published code it wins an impression whose cost is 0).

Source: Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798, offline evaluation.
Cost: about 10 ms per trajectory of 500,000 impressions and agent, besides the bids; reading see ``net_csv``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike

from equilibria.games.auctions.simulators import net_replay_kernels as kernels
from equilibria.games.auctions.simulators.hosting import bidders_of
from equilibria.games.auctions.simulators.net_bidders import (
    NetBidder,
    NetProfile,
    NetStep,
    NetView,
    checked_bids,
    score,
)
from equilibria.games.auctions.simulators.net_csv import NetLog, Trajectory
from equilibria.games.auctions.simulators.net_replay_judging import judge
from equilibria.games.auctions.simulators.net_settings import LEAST_BUDGET, STEPS, AuctionNetLogSettings
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import AgentSpec, State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, BoolArray, FloatArray

COLUMNS = (
    "score", "conversions", "cost", "wins", "budget", "cpa_limit", "cpa", "ignored_bids", "expected_score", "mean_score",
)  # fmt: skip
_FIELDS = 5
"""Cost, conversions, wins, predicted conversions, ignored bids."""


class AuctionNetLog:
    """The world; see the module.  Bidders come from ``attach`` (scenarios) or ``use`` (Python).

    Raises:
        GameFileError: If the log cannot be found; what is wrong inside shows when a file is read.
    """

    unit: ClassVar[str] = "trajectory"
    column_names: ClassVar[tuple[str, ...]] = COLUMNS

    def __init__(self, settings: AuctionNetLogSettings) -> None:
        self._settings = settings
        self._log = self.open()
        self._bidders: list[NetBidder] = []
        self.labels: tuple[str, ...] = ()
        self._seeds: SeedTree | None = None
        self._key = np.uint64(0)
        self._number = 0
        self._current: Trajectory | None = None
        self._last: FloatArray = np.zeros((0, _FIELDS))
        self._sums: FloatArray = np.zeros(0)
        self._judged: FloatArray = np.zeros((0, 0, _FIELDS))

    @property
    def agents(self) -> int:
        """Number N of bidders."""
        return len(self._bidders)

    @property
    def settings(self) -> AuctionNetLogSettings:
        """Parameters of the world."""
        return self._settings

    @property
    def key(self) -> np.uint64:
        """Key of the random numbers."""
        return self._key

    def open(self, *, others: bool = False) -> NetLog:
        """Open the log again: the evaluated periods, or the other ones, to learn from.

        Raises:
            UnsupportedGame: If all periods are evaluated and the other ones are asked for.
        """
        s = self._settings
        if not others:
            return NetLog(s.path, periods=s.periods, advertisers=s.advertisers, broken=s.broken)
        known = {t.period for t in NetLog(s.path, broken=s.broken)}
        rest = known - set(s.periods or known)
        if not rest:
            raise UnsupportedGame(
                f"nothing is left of {s.path} to learn from: name the periods to evaluate under game.params.periods "
                f"(the log has {sorted(known)}), or give the agent a log of its own"
            )
        return NetLog(s.path, periods=rest, broken=s.broken)

    def attach(self, agents: Sequence[AgentSpec], mechanisms: Sequence[Any]) -> None:
        """Take one bidder per entry.

        Raises:
            UnsupportedGame: If an agent is no bidder of this world, or mechanisms are named.
        """
        if mechanisms:
            raise UnsupportedGame("auction_net_log replays logged prices; name no mechanisms")
        made, labels = bidders_of(agents, self, needs="bid", count=len(agents))
        self.use(dict(zip(labels, made, strict=True)))

    def use(self, bidders: Mapping[str, NetBidder]) -> None:
        """Take bidders by label, for use from Python."""
        self._bidders, self.labels = list(bidders.values()), tuple(bidders)
        self._forget()

    def reset(self, seeds: SeedTree) -> None:
        """Begin before the first trajectory; reads the first file.

        Raises:
            UnsupportedGame: If there are no bidders.
            GameFileError: If the file is broken or holds nothing that is wanted.
        """
        if not self._bidders:
            raise UnsupportedGame("auction_net_log needs bidders; name some under agents:")
        self._seeds, self._key = seeds, seeds.child("replay").key()
        self._forget()
        self._current = self._log.at(0)

    def run(self, first: int, steps: int) -> None:
        """Replay trajectories ``first .. first + steps - 1`` (the first one has number 1); past the end nothing happens."""
        for number in range(first, first + steps):
            trajectory = self._log.at(number - 1)
            if trajectory is None:
                break
            self._current, self._number = trajectory, number
            self._last = np.stack([self.play(number, i) for i in range(self.agents)])
            self._sums += score(self._last[:, 1], self._last[:, 0], trajectory.cpa_limit)
            self._judged = np.concatenate([self._judged, self._last[None]])[-self._settings.window :]

    def columns(self) -> Mapping[str, AnyArray]:
        """Return per bidder [N], of the last trajectory: scores, counts, cost (money), limits; and the mean score."""
        cost, conversions = self._last[:, kernels.COST], self._last[:, kernels.CONVERSIONS]
        t, ones = self._current, np.ones(self.agents)
        limit = ones * (t.cpa_limit if t else 1.0)
        return {
            "score": score(conversions, cost, limit),
            "conversions": conversions.copy(),
            "cost": cost.copy(),
            "wins": self._last[:, kernels.WINS].copy(),
            "budget": ones * (t.budget if t else 1.0),
            "cpa_limit": limit,
            "cpa": cost / np.maximum(conversions, 1.0),
            "ignored_bids": self._last[:, 4].copy(),
            "expected_score": score(self._last[:, kernels.EXPECTED], cost, limit),
            "mean_score": self._sums / max(self._number, 1),
        }

    def save(self) -> State:
        """Return totals; everything else follows from the log and the seeds."""
        tree = self._seeds or SeedTree(0)
        path: list[JSON] = list(tree.path)
        arrays = {"last": self._last.copy(), "sums": self._sums.copy(), "judged": self._judged.copy()}
        return State(arrays, {"seed": tree.seed, "path": path, "number": self._number})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        path = state.meta["path"]
        assert isinstance(path, list)
        self.reset(SeedTree(int(str(state.meta["seed"])), tuple(int(str(p)) for p in path)))
        self._number = int(str(state.meta["number"]))
        self._last, self._sums, self._judged = (
            np.array(state.arrays[name], np.float64) for name in ("last", "sums", "judged")
        )
        self._current = self._log.at(max(self._number - 1, 0))

    def certificate(self) -> Certificate:
        """Return the largest mean gain of a bidder from the best constant multiplier of each judged trajectory."""
        first = self._number - self._judged.shape[0]
        found = [self._log.at(first + k) for k in range(self._judged.shape[0])]
        return judge(self, [(first + k + 1, t) for k, t in enumerate(found) if t is not None], self._judged)

    def play(self, number: int, agent: int) -> FloatArray:
        """Replay a trajectory with a bidder; return [cost, conversions, wins, predicted conversions, ignored bids].

        Raises:
            InvalidValue: If there is no such trajectory, or the bids have the wrong shape, are negative or not finite.
        """
        t = self._log.at(number - 1)
        if t is None:
            raise InvalidValue(f"the log has no trajectory {number}")
        bidder, label, left = self._bidders[agent], self.labels[agent], t.budget
        bidder.begin(profile_of(t))
        history: list[NetStep] = []
        totals = np.zeros(_FIELDS)
        for step in range(STEPS):
            part = slice(int(t.start[step]), int(t.start[step + 1]))
            predicted, least, sigma = t.predicted[part], t.least[part], t.sigma[part]
            bids = np.zeros(predicted.size)
            if left >= LEAST_BUDGET:
                view = view_of(t, step, left, history)
                bids = checked_bids(bidder.bid(view), predicted.size, f"{label} (trajectory {number}), step {step}")
            else:
                totals[4] += predicted.size
            won, converted, now = np.empty(bids.size, np.bool_), np.empty(bids.size, np.bool_), np.empty(4)
            counter = number * STEPS + step
            kernels.replay_step(self._key, counter, left, least, predicted, sigma, bids, won, converted, now)
            left = max(0.0, left - float(now[kernels.COST]))
            totals[:4] += now
            history.append(step_of(bids, least, won, least, won, converted))
        return totals

    def _forget(self) -> None:
        n = self.agents
        self._number, self._current = 0, None
        self._last, self._sums, self._judged = np.zeros((n, _FIELDS)), np.zeros(n), np.zeros((0, n, _FIELDS))


def profile_of(t: Trajectory) -> NetProfile:
    """Return what the advertiser of a trajectory knows before it."""
    return NetProfile(agent=0, category=t.category, budget=t.budget, cpa_limit=t.cpa_limit, reserve=0.0)


def view_of(t: Trajectory, step: int, left: float, history: Sequence[NetStep]) -> NetView:
    """Return what the advertiser of a trajectory sees before it bids in a step, with ``left`` money."""
    part = slice(int(t.start[step]), int(t.start[step + 1]))

    def noise(agent: int) -> FloatArray:
        return t.sigma[part]

    return NetView(step=step, agent=0, predicted=t.predicted[part], left=left, history=tuple(history), noise=noise)


def step_of(
    bids: FloatArray, least: FloatArray, slot: ArrayLike, price: FloatArray, exposed: BoolArray, converted: BoolArray
) -> NetStep:
    """Return a step as bidders see it, of a market that consists of advertiser 0 and the least winning costs.

    Args:
        bids: float64 [n].
        least: float64 [n] least winning cost, which becomes the other bids.
        slot: Integers or bool [n], slot 1..3 that was won, or 0.
        price: float64 [n] price of the slot.
        exposed: bool [n].
        converted: bool [n].
    """
    place = np.asarray(slot, np.int64) - 1
    won, place = place >= 0, np.maximum(place, 0)
    every = np.arange(bids.size)
    top = np.tile(least, (4, 1))
    top[0] = np.where(won, np.maximum(bids, least), least)
    who, paid = np.full((4, bids.size), -1, np.int16), np.zeros((3, bids.size))
    gained = np.zeros((3, bids.size), np.int8)
    who[place, every] = np.where(won, 0, -1)
    paid[place, every] = np.where(won, price, 0.0)
    gained[place, every] = converted & won
    shown = won & exposed
    totals = np.array([[price[shown].sum(), float((converted & won).sum()), float(won.sum()), float(shown.sum())]])
    return NetStep(
        totals=totals, top=top, who=who, shown=np.where(won, place + exposed, 0).astype(np.int8), paid=paid,
        converted=gained, reserve=0.0,
    )  # fmt: skip


def build(settings: AuctionNetLogSettings, *, seeds: SeedTree) -> AuctionNetLog:
    """Build the world; the engine attaches bidders and resets it."""
    return AuctionNetLog(settings)
