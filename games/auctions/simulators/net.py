"""AuctionNet's model: 48 advertisers with budgets and CPA limits bid for three slots of every impression.

An episode has 48 steps of n_t impressions.  In every step each advertiser with at least 0.1 money left bids on
all impressions at once.  The three highest bids win slots, the price of a slot is the next bid, and a slot whose
next bid does not exceed the reserve is unsold (one comparison of bids, not an equality of prices).  Slots are
shown with probability 1, 0.8 and 0.6, the third only if the second is; shown slots cost their price and convert
with the advertiser's value.  Who would overspend in a step loses random wins of that step.  The score is
conversions times min(1, (limit / CPA)^2).  One period is one episode.

Differences from the published code: exposure, values and conversions are drawn anew in every step (there the
generators are re-seeded with a constant), and unsold slots are found by comparing bids.

Source: Su et al. (2024), AuctionNet, NeurIPS Datasets and Benchmarks, arXiv 2412.10798.
Cost: about 1 s per episode of 500,000 impressions, generation included.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from equilibria.games.auctions.simulators import net_kernels as kernels
from equilibria.games.auctions.simulators.hosting import bidders_of
from equilibria.games.auctions.simulators.net_bidders import (
    NetBidder,
    NetProfile,
    NetStep,
    NetView,
    checked_bids,
    score,
)
from equilibria.games.auctions.simulators.net_judging import judge
from equilibria.games.auctions.simulators.net_settings import (
    AGENTS,
    BUDGETS,
    CPA_LIMITS,
    EXPOSURE,
    LEAST_BUDGET,
    PER_CATEGORY,
    STEPS,
    TRAFFIC,
    AuctionNetSettings,
)
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import AgentSpec, State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, FloatArray, IntArray

COLUMNS = ("score", "conversions", "cost", "wins", "exposures", "budget", "cpa_limit", "cpa", "ignored_bids")
PROFILE = 5e-4
"""Scale of the predicted conversion rates."""


class Episode:
    """One episode's traffic and advertisers, drawn from the seeds and the number of the episode.

    Attributes:
        impressions: int64 [48] per step.
        mean: float64 [48, A] mean of predicted values.
        std: float64 [48, A] standard deviation.
        ratio: float64 [A] mean relative uncertainty of values.
        low: float64 [A] normal probability of the lower bound of the noise of values.
        high: float64 [A] of the upper bound.
    """

    def __init__(self, settings: AuctionNetSettings, seeds: SeedTree, number: int) -> None:
        rng = seeds.child("episode", number).generator()
        base = np.array(TRAFFIC)
        moved = base * np.repeat(rng.uniform(0.6, 1.4, STEPS // 4), 4)
        share = moved * (base.sum() / moved.sum())
        self.impressions: IntArray = np.floor(settings.impressions * share).astype(np.int64)
        profile = PROFILE * rng.uniform(0.3, 1.7, (AGENTS // PER_CATEGORY, STEPS // 8))
        own = rng.uniform(0.5, 1.5, (AGENTS, STEPS // 8))
        own[::PER_CATEGORY] = 1.0
        self.mean: FloatArray = np.repeat(np.repeat(profile, PER_CATEGORY, axis=0) * own, 8, axis=1).T.copy()
        agent = rng.normal(0.5, 0.1, AGENTS)
        spread = rng.normal(agent, 0.2 * np.abs(agent), (STEPS, AGENTS))
        self.std: FloatArray = self.mean * np.clip(np.where(spread < 0.0, 0.1, spread), 0.0, 1.0)
        ratio = np.abs(rng.normal(0.15, 0.06, AGENTS))
        self.ratio: FloatArray = np.where(ratio > 0.3, 0.2, ratio)
        self.low: FloatArray = np.asarray(ndtr(-2.0 * rng.random(AGENTS)))
        self.high: FloatArray = np.asarray(ndtr(2.0 * rng.random(AGENTS)))


class AuctionNet:
    """The world; see the module.  Bidders come from ``attach`` (scenarios) or ``use`` (Python)."""

    unit: ClassVar[str] = "episode"
    column_names: ClassVar[tuple[str, ...]] = COLUMNS

    def __init__(self, settings: AuctionNetSettings | None = None) -> None:
        self._settings = settings or AuctionNetSettings()
        self._bidders: list[NetBidder] = []
        self.labels: tuple[str, ...] = ()
        self.budgets: FloatArray = np.array(BUDGETS, np.float64) * self._settings.budget_scale
        self.limits: FloatArray = np.array(CPA_LIMITS, np.float64)
        self._seeds: SeedTree | None = None
        self._key = np.uint64(0)
        self._number = 0
        self._last = np.zeros((AGENTS, 5))

    @property
    def agents(self) -> int:
        """Number of advertisers, 48."""
        return AGENTS

    @property
    def settings(self) -> AuctionNetSettings:
        """Parameters of the world."""
        return self._settings

    def attach(self, agents: Sequence[AgentSpec], mechanisms: Sequence[Any]) -> None:
        """Take one kind of bidder for all, or 48 entries.

        Raises:
            UnsupportedGame: If the entries do not fit, or mechanisms are named.
        """
        if mechanisms:
            raise UnsupportedGame("auction_net has its own auction (generalised second price); name no mechanisms")
        made, labels = bidders_of(agents, self, needs="bid", count=AGENTS)
        self.use(dict(zip(labels, made, strict=True)))

    def use(self, bidders: Mapping[str, NetBidder]) -> None:
        """Take 48 bidders by label.

        Raises:
            UnsupportedGame: If there are not 48.
        """
        if len(bidders) != AGENTS:
            raise UnsupportedGame(f"auction_net needs {AGENTS} bidders, got {len(bidders)}")
        self._bidders, self.labels = list(bidders.values()), tuple(bidders)

    def reset(self, seeds: SeedTree) -> None:
        """Begin before the first episode.

        Raises:
            UnsupportedGame: If there are no bidders.
        """
        if not self._bidders:
            raise UnsupportedGame("auction_net needs bidders; name one kind, or one per advertiser, under agents:")
        self._seeds, self._key = seeds, seeds.child("auctions").key()
        self._number = 0
        self._last = np.zeros((AGENTS, 5))

    def run(self, first: int, steps: int) -> None:
        """Play episodes ``first .. first + steps - 1`` (the first one has number 1)."""
        for number in range(first, first + steps):
            self._last = self.play(number)
            self._number = number

    def columns(self) -> Mapping[str, AnyArray]:
        """Return per advertiser [48], of the last episode: score, conversions, cost (money), counts, limits, CPA."""
        cost, conversions = self._last[:, kernels.COST], self._last[:, kernels.CONVERSIONS]
        cpa = cost / np.maximum(conversions, 1.0)
        return {
            "score": score(conversions, cost, self.limits),
            "conversions": conversions.copy(),
            "cost": cost.copy(),
            "wins": self._last[:, kernels.WINS].copy(),
            "exposures": self._last[:, kernels.EXPOSED].copy(),
            "budget": self.budgets.copy(),
            "cpa_limit": self.limits.copy(),
            "cpa": cpa,
            "ignored_bids": self._last[:, 4].copy(),
        }

    def save(self) -> State:
        """Return the last episode's totals; everything else follows from the seeds."""
        tree = self._seeds or SeedTree(0)
        path: list[JSON] = list(tree.path)
        return State({"last": self._last.copy()}, {"seed": tree.seed, "path": path, "number": self._number})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        path = state.meta["path"]
        assert isinstance(path, list)
        self.reset(SeedTree(int(str(state.meta["seed"])), tuple(int(str(p)) for p in path)))
        self._last = np.array(state.arrays["last"], np.float64)
        self._number = int(str(state.meta["number"]))

    def certificate(self) -> Certificate:
        """Return the largest gain in score of an advertiser from another constant multiplier, in the last episode."""
        return judge(self, self._number)

    def play(self, number: int, watch: Any = None) -> FloatArray:
        """Play one episode and return float64 [48, 5]: cost, conversions, wins, exposures, ignored bids.

        Args:
            number: Number of the episode, from 1.
            watch: Called after each step with (predicted values, bids, ``NetStep``), or ``None``.

        Raises:
            InvalidValue: If a bidder returns bids of the wrong shape, negative or not finite; names bidder and step.
        """
        round_ = EpisodeRun(self, number)
        for i, bidder in enumerate(self._bidders):
            bidder.begin(round_.profile(i))
        for t in range(STEPS):
            round_.open()
            for i, bidder in enumerate(self._bidders):
                if round_.left[i] >= LEAST_BUDGET:
                    round_.place(i, self.labels[i], bidder.bid(round_.view(i)))
                else:
                    round_.skip(i)
            step = round_.close()
            if watch is not None:
                watch(round_.predicted, round_.bids, step, t)
        return round_.totals

    def episode(self, number: int) -> Episode:
        """Return the traffic and advertisers of an episode.

        Raises:
            InvalidValue: Before ``reset``.
        """
        if self._seeds is None:
            raise InvalidValue("the world has no traffic yet; call reset(seeds) first")
        return Episode(self._settings, self._seeds.child("traffic"), number)

    @property
    def key(self) -> np.uint64:
        """Key of the random numbers of the auctions."""
        return self._key


class EpisodeRun:
    """An episode in progress: ``open`` a step, ``place`` bids, ``close`` it.

    Attributes:
        left: float64 [48] money left.
        totals: float64 [48, 5] cost, conversions, wins, exposures, ignored bids so far.
        step: Steps closed.
        predicted: float32 [48, n] predicted values of the open step.
        bids: float64 [48, n] bids of the open step.
    """

    def __init__(self, world: AuctionNet, number: int) -> None:
        self._world, self._number = world, number
        self._drawn = world.episode(number)
        self.left: FloatArray = world.budgets.copy()
        self.totals: FloatArray = np.zeros((AGENTS, 5))
        self.step = 0
        self.history: list[NetStep] = []
        self.predicted: NDArray[np.float32] = np.zeros((AGENTS, 0), np.float32)
        self.bids: FloatArray = np.zeros((AGENTS, 0))
        self._exposure = np.array(EXPOSURE)

    @property
    def counter(self) -> int:
        """Number of the open step over all episodes, for random numbers."""
        return self._number * STEPS + self.step

    def profile(self, agent: int) -> NetProfile:
        """Return what an advertiser knows before the episode."""
        w = self._world
        return NetProfile(
            agent=agent, category=agent // PER_CATEGORY, budget=float(w.budgets[agent]),
            cpa_limit=float(w.limits[agent]), reserve=w.settings.reserve,
        )  # fmt: skip

    def open(self) -> None:
        """Draw the values of the next step."""
        n, d = int(self._drawn.impressions[self.step]), self._drawn
        self.predicted = np.empty((AGENTS, n), np.float32)
        kernels.values(self._world.key, self.counter, d.mean[self.step], d.std[self.step], self.predicted)
        self.bids = np.zeros((AGENTS, n))

    def view(self, agent: int) -> NetView:
        """Return what an advertiser sees in the open step."""
        return NetView(
            step=self.step, agent=agent, predicted=self.predicted[agent], left=float(self.left[agent]),
            history=tuple(self.history), noise=self._noise,
        )  # fmt: skip

    def place(self, agent: int, label: str, bids: Any) -> None:
        """Take the bids of an advertiser.

        Raises:
            InvalidValue: If they have the wrong shape, or one is negative or not finite.
        """
        self.bids[agent] = checked_bids(bids, self.bids.shape[1], f"{label} (bidder {agent}), step {self.step}")

    def skip(self, agent: int) -> None:
        """Let an advertiser without money bid nothing; its bids count as ignored."""
        self.totals[agent, 4] += self.bids.shape[1]

    def close(self) -> NetStep:
        """Run the auctions of the step."""
        n, d, s = self.bids.shape[1], self._drawn, self._world.settings
        top, who, cost = np.empty((4, n)), np.empty((4, n), np.int16), np.empty(AGENTS)
        key, number = self._world.key, self.counter
        kernels.rank(self.bids, top, who)
        kernels.repair(key, number, self.bids, self.left, s.reserve, self._exposure, top, who, cost)
        totals, shown = np.empty((AGENTS, 4)), np.empty(n, np.int8)
        paid, converted = np.empty((3, n)), np.empty((3, n), np.int8)
        kernels.settle(
            key, number, self.predicted, d.ratio, d.low, d.high, s.reserve, self._exposure, top, who, totals, shown,
            paid, converted,
        )  # fmt: skip
        self.totals[:, :4] += totals
        self.left = np.maximum(0.0, self.left - totals[:, kernels.COST])
        done = NetStep(totals=totals, top=top, who=who, shown=shown, paid=paid, converted=converted, reserve=s.reserve)
        self.history.append(done)
        self.step += 1
        return done

    def _noise(self, agent: int) -> FloatArray:
        out = np.empty(self.predicted.shape[1])
        kernels.sigmas(self._world.key, self.counter, agent, self._drawn.ratio[agent], self.predicted[agent], out)
        return out


def build(settings: AuctionNetSettings, *, seeds: SeedTree) -> AuctionNet:
    """Build the world; the engine attaches bidders and resets it."""
    return AuctionNet(settings)
