"""Bidding worlds: replay of a campaign, and a market of several bidders.

**Campaign.** Every agent bids alone against the recorded prices of the same requests; agents do not
meet.  One run gives a row of a table: all bidders on the same traffic.

**Market.** All agents bid on every request, with correlated click probabilities, against each other
and a residual price; the winner's budget changes before the next request.

One period is one episode of T requests; budgets are renewed at its start and what is left is lost.
Synthetic traffic comes in batches that never end; a log is played once, its last incomplete episode
included, and later periods change nothing.

Source: Cai et al. (2017), WSDM, section 5, for the campaign; the market is ours.
Cost: kernels in ``kernels``; one Python call per batch, or per episode when a bidder learns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from equilibria.games.auctions.rtb import kernels, tables
from equilibria.games.auctions.rtb.bidders import EpisodeLearner
from equilibria.games.auctions.rtb.judging import certificate
from equilibria.games.auctions.rtb.logs import load_pair
from equilibria.games.auctions.rtb.requests import Requests, Training, training
from equilibria.games.auctions.rtb.rules import LINEAR, TABLE, BidRule, PackedRules, pack
from equilibria.games.auctions.rtb.settings import CampaignSettings, MarketSettings
from equilibria.games.auctions.rtb.synthetic import Source
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import AgentSpec, State
from equilibria.sim.errors import InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, FloatArray, IntArray

COLUMNS = ("impressions", "clicks", "cost", "expected_clicks", "requests", "budget", "multiplier")
_FIELDS = 5


class Campaign:
    """Bidders replayed one by one against the recorded prices; see the module."""

    unit: ClassVar[str] = "episode"
    column_names: ClassVar[tuple[str, ...]] = COLUMNS
    table_names: ClassVar[tuple[str, ...]] = tables.TABLES
    meets: ClassVar[bool] = False

    def __init__(self, settings: CampaignSettings) -> None:
        self._settings = settings
        self._bidders: list[Any] = []
        self.labels: tuple[str, ...] = ()
        self._seeds: SeedTree | None = None
        self._training: Training | None = None
        self._source: Source | None = None
        self._batch: tuple[int, Requests] | None = None
        self._rules: tuple[BidRule, ...] = ()
        self._packed: list[PackedRules] = []
        self._second, self._reserve = settings.pricing == "second", settings.reserve
        self._episode = 0
        self._played = 0
        self._seen: FloatArray = np.zeros((0, 0, 3))
        self._make_arrays()

    @property
    def agents(self) -> int:
        """Number of bidders."""
        return len(self._bidders)

    @property
    def settings(self) -> CampaignSettings:
        """Parameters of the world."""
        return self._settings

    def attach(self, agents: Sequence[AgentSpec], mechanisms: Sequence[Any]) -> None:
        """Take the bidders, and a single-item auction rule in place of ``pricing`` and ``reserve``.

        Raises:
            UnsupportedGame: If an agent is no bidder, or a mechanism no first- or second-price auction.
        """
        names: dict[str, int] = {}
        labels = []
        for index, spec in enumerate(agents):
            if spec.role not in ("all", "bidder"):
                raise UnsupportedGame(
                    f"agents.{index}.role must be 'bidder' (or 'all') in a bidding world, got {spec.role!r}"
                )
            seeds = SeedTree(0).child("agent", index)
            bidder = spec.plugin.load()(spec.settings, game=self, roles=("bidder",), seeds=seeds, budget=0)
            if not hasattr(bidder, "prepare"):
                raise UnsupportedGame(f"agent {spec.plugin.name!r} is no bidder (it has no prepare)")
            names[spec.plugin.name] = names.get(spec.plugin.name, 0) + 1
            count = names[spec.plugin.name]
            labels.append(spec.plugin.name if count == 1 else f"{spec.plugin.name}_{count}")
            self._bidders.append(bidder)
        self.labels = tuple(labels)
        for rule in mechanisms:
            self._second, self._reserve = _pricing(rule)

    def use(self, bidders: Mapping[str, Any]) -> None:
        """Take bidders by label, for use from Python."""
        self._bidders, self.labels = list(bidders.values()), tuple(bidders)

    def reset(self, seeds: SeedTree) -> None:
        """Draw the traffic, train the bidders and start at episode 0.

        Raises:
            UnsupportedGame: If there is no bidder.
        """
        if not self._bidders:
            raise UnsupportedGame("a bidding world needs at least one bidder; name some under agents:")
        if self._seeds != seeds:
            self._prepare(seeds)
        for i, bidder in enumerate(self._bidders):
            if isinstance(bidder, EpisodeLearner):
                bidder.prepare(self.plan, seeds.child("bidder", i))  # forgets what it learned in an earlier run
        self._episode = self._played = 0
        self._make_arrays()
        for i, rule in enumerate(self._rules):
            if rule.control != "none":
                self._control[i, :2] = rule.parameters[6:8]

    def run(self, first: int, steps: int) -> None:
        """Play episodes ``first .. first + steps - 1`` (the first one has number 1)."""
        learning = any(isinstance(b, EpisodeLearner) for b in self._bidders)
        episode, last = first - 1, first - 1 + steps
        while episode < last:
            number, inside = divmod(episode, self._batch_episodes())
            requests = self._requests(number)
            if requests is None:
                break
            left = self._batch_episodes() - inside
            count = 1 if learning else min(last - episode, left)
            self._play(requests, episode, inside, count)
            episode += count
        self._episode = last

    def columns(self) -> Mapping[str, AnyArray]:
        """Return totals [N]: impressions, clicks, cost, budget (money), requests, expected clicks, multiplier."""
        whole = {name: self._totals[:, k].astype(np.int64) for k, name in enumerate(COLUMNS[:3])}
        played = np.full(self.agents, self._played, np.int64)
        return {
            **whole,
            "expected_clicks": self._totals[:, kernels.VALUE].copy(),
            "requests": played,
            "budget": np.full(self.agents, self._episodes_played() * self.plan.budget, np.int64),
            "multiplier": self._control[:, 0].copy(),
        }

    @property
    def plan(self) -> Training:
        """What bidders know: training stream, price distribution, T and B.

        Raises:
            InvalidValue: Before ``reset``.
        """
        if self._training is None:
            raise InvalidValue("the world has no traffic yet; call reset(seeds) first")
        return self._training

    def save(self) -> State:
        """Return totals, the judged window, controllers and learners; traffic follows from the seeds."""
        arrays: dict[str, AnyArray] = {
            "totals": self._totals.copy(),
            "recent": self._recent.copy(),
            "control": self._control.copy(),
            "seen": self._seen.copy(),
        }
        for i, bidder in enumerate(self._bidders):
            if isinstance(bidder, EpisodeLearner):
                arrays |= {f"bidder{i}/{k}": v for k, v in bidder.arrays().items()}
        tree = self._seeds or SeedTree(0)
        path: list[JSON] = list(tree.path)
        return State(arrays, {"seed": tree.seed, "path": path, "episode": self._episode, "played": self._played})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned; draws the traffic and trains anew if needed."""
        path = state.meta["path"]
        assert isinstance(path, list)
        self.reset(SeedTree(int(str(state.meta["seed"])), tuple(int(str(p)) for p in path)))
        self._totals[:] = state.arrays["totals"]
        self._recent[:] = state.arrays["recent"]
        self._control[:] = state.arrays["control"]
        self._seen[:] = state.arrays["seen"]
        self._episode, self._played = int(str(state.meta["episode"])), int(str(state.meta["played"]))
        for i, bidder in enumerate(self._bidders):
            if isinstance(bidder, EpisodeLearner):
                part = state.part(f"bidder{i}").arrays
                bidder.restore({k: np.asarray(v) for k, v in part.items()})

    def certificate(self) -> Certificate:
        """Judge the last episodes: gain of the best linear bid on a grid against the market each bidder met."""
        return certificate(self)

    def table(self, name: str) -> Mapping[str, AnyArray]:
        """Return a wide table: ``bid_curves``, ``pacing`` or ``landscape`` (see ``tables``)."""
        return tables.table(self, name)

    # --- what tables read -----------------------------------------------------------------------------

    def rule(self, bidder: int) -> tuple[BidRule, float]:
        """Return the rule of a bidder and its present multiplier."""
        return self._rules[bidder], float(self._control[bidder, 0])

    def present_prices(self) -> AnyArray:
        """Return the recorded prices of the batch that was played last."""
        requests = self._requests(self._last_episode() // self._batch_episodes())
        return np.zeros(0) if requests is None else requests.price

    def replay_last(self, checkpoints: IntArray) -> FloatArray:
        """Play the last episode again with the present multipliers and leave no trace.

        Args:
            checkpoints: [K] numbers of requests.

        Returns:
            Results [K, N, 5] of the first ``checkpoints[k]`` requests.
        """
        episode, length = self._last_episode(), self.plan.length
        number, inside = divmod(episode, self._batch_episodes())
        requests = self._requests(number)
        out = np.zeros((len(checkpoints), self.agents, _FIELDS))
        control, seen = self._control.copy(), self._seen
        self._seen = np.zeros((self.agents, 0, 3))
        try:
            for k, size in enumerate(checkpoints if requests is not None else ()):
                assert requests is not None
                stretch = slice(inside * length, min(requests.count, inside * length + int(size)))
                self._episodes(requests, stretch, episode, out[k : k + 1])
                self._control[:] = control
        finally:
            self._seen = seen
            self._control[:] = control
        return out

    def _last_episode(self) -> int:
        return max(0, self._episodes_played() - 1)

    # --- what the certificate reads -------------------------------------------------------------------

    @property
    def second_price(self) -> bool:
        """True if winners pay the price to beat."""
        return self._second

    def judged(self) -> tuple[int, FloatArray, list[FloatArray]]:
        """Return the number of complete episodes judged, results [N, K, 5], and (theta, price to beat, truth) [K T, 3]."""
        length = self.plan.length
        complete = self._played // length
        count = min(self._settings.window, complete)
        order = [(complete - count + k) % self._settings.window for k in range(count)]
        return count, self._recent[:, order], [self._met(i, complete - count, count) for i in range(self.agents)]

    def _met(self, bidder: int, first: int, count: int) -> FloatArray:
        """Return what a bidder met in complete episodes: the recorded stream."""
        parts = []
        for episode in range(first, first + count):
            number, inside = divmod(episode, self._batch_episodes())
            requests = self._requests(number)
            assert requests is not None
            piece = requests.part(inside * self.plan.length, (inside + 1) * self.plan.length)
            price = np.maximum(piece.price, self._reserve).astype(np.float64)
            parts.append(np.stack([piece.theta, price, piece.truth], axis=1))
        return np.concatenate(parts) if parts else np.zeros((0, 3))

    # --- traffic and training -------------------------------------------------------------------------

    def _prepare(self, seeds: SeedTree) -> None:
        s = self._settings
        self._batch = None
        if s.log is not None:
            train, test = load_pair(s.log)
            self._batch = (0, test)
        else:
            self._source = Source(s.campaign, s.mode, seeds.child("traffic"), calibrated=s.calibrated)
            train = self._source.train(s.train_requests)
        self._training = training(
            train,
            length=s.episode_length,
            budget_fraction=s.budget_fraction,
            objective=s.objective,
            expected=s.log is None,
            first_price=not self._second,
        )
        self._seeds = seeds
        self._train(seeds)

    def _train(self, seeds: SeedTree) -> None:
        """Let bidders learn from the training stream and keep their rules."""
        self._rules = tuple(b.prepare(self.plan, seeds.child("bidder", i)) for i, b in enumerate(self._bidders))
        self._packed = self._pack()

    def _pack(self) -> list[PackedRules]:
        return [pack((rule,)) for rule in self._rules]

    def _batch_episodes(self) -> int:
        requests = self._batch[1].count if self._source is None and self._batch else self._settings.test_requests
        return -(-requests // self.plan.length)

    def _requests(self, number: int) -> Requests | None:
        """Return a batch of the test stream, ``None`` after the end of a log."""
        if self._batch is not None and self._batch[0] == number:
            return self._batch[1]
        if self._source is None:
            return None
        self._batch = (number, self._source.test(self._settings.test_requests, number))
        return self._batch[1]

    def _episodes_played(self) -> int:
        return -(-self._played // self.plan.length)

    # --- playing --------------------------------------------------------------------------------------

    def _make_arrays(self) -> None:
        n, window = self.agents, self._settings.window
        self._totals = np.zeros((n, _FIELDS))
        self._recent = np.zeros((n, window, _FIELDS))
        self._control = np.zeros((n, 4))
        self._control[:, 0] = 1.0
        self._seen = np.zeros((n, 0, 3))

    def _play(self, requests: Requests, episode: int, inside: int, count: int) -> None:
        """Play ``count`` episodes of a batch from its episode ``inside`` on."""
        length = self.plan.length
        stretch = slice(inside * length, min(requests.count, (inside + count) * length))
        played = stretch.stop - stretch.start
        out = np.zeros((count, self.agents, _FIELDS))
        self._choose(episode)
        self._episodes(requests, stretch, episode, out)
        for e in range(count):  # one by one: sums must not depend on how runs are cut
            self._totals += out[e]
            if (e + 1) * length <= played:
                self._recent[:, (episode + e) % self._settings.window] = out[e]
        self._played += played
        for i, bidder in enumerate(self._bidders):
            if isinstance(bidder, EpisodeLearner):
                bidder.end(reward(self.plan, out[0, i]))

    def _choose(self, episode: int) -> None:
        for i, bidder in enumerate(self._bidders):
            if isinstance(bidder, EpisodeLearner):
                self._control[i, 0] = bidder.begin(episode, self._context(i, episode))

    def _context(self, i: int, episode: int) -> FloatArray:
        """Return what bidder ``i`` knows of the episode before: see ``EpisodeLearner.begin``."""
        if episode == 0:
            return np.zeros(3)
        last, plan = self._recent[i, (episode - 1) % self._settings.window], self.plan
        wins = last[kernels.IMPRESSIONS]
        paid = last[kernels.COST] / wins / plan.cpm if wins > 0 and plan.cpm > 0 else 0.0
        return np.array([last[kernels.COST] / max(plan.budget, 1), wins / plan.length, paid])

    def _episodes(self, requests: Requests, stretch: slice, episode: int, out: FloatArray) -> None:
        """Play a stretch of a batch that begins with an episode; ``out`` [E, N, 5] is overwritten."""
        piece = requests.part(stretch.start, stretch.stop)
        for i, rule in enumerate(self._rules):
            if self._second and self._reserve == 0 and rule.control == "none":
                result = np.zeros((out.shape[0], _FIELDS))
                if self._fast(i, rule, piece, result):
                    out[:, i] = result
                    continue
            self._general(requests, stretch, episode, self._packed[i], slice(i, i + 1), out, requests.price, 1.0)

    def _fast(self, i: int, rule: BidRule, piece: Requests, result: FloatArray) -> bool:
        """Replay without bids where the rule allows it; return whether it did."""
        stream = (piece.theta, piece.price, piece.click, piece.truth, self.plan.length, self.plan.budget)
        if rule.kind == LINEAR:
            top = rule.table.top
            if rule.curve > 0.0:
                kernels.replay_curve(*stream, rule.scale * self._control[i, 0], rule.curve, top, result)
                return True
            kernels.replay_linear(*stream, rule.scale * self._control[i, 0], top, result)
            return True
        covered = rule.table.requests >= self.plan.length - 1 and rule.table.budget >= self.plan.budget
        if rule.kind == TABLE and covered and rule.mapping == "none":
            p = self._packed[i]
            kernels.replay_table(*stream, p.integers[0], p.reals[0], p.tables, result)
            return True
        return False

    def _general(
        self, requests: Requests, stretch: slice, episode: int, rules: PackedRules, who: slice, out: FloatArray,
        price: Any, shared: float,
    ) -> None:  # fmt: skip
        seeds = self._seeds or SeedTree(0)
        result = np.zeros((out.shape[0], rules.integers.shape[0], _FIELDS))
        budgets = np.full(rules.integers.shape[0], self.plan.budget, np.int64)
        kernels.play(
            requests.theta, price, requests.click, requests.truth, self.plan.length, budgets, rules.integers, rules.reals,
            rules.parameters, rules.tables, self._control[who], episode, self._second, self._reserve, shared,
            seeds.child("market").key(), self._seen[who], result,
            stretch.start, stretch.stop,
        )  # fmt: skip
        out[:, who] = result


class Market(Campaign):
    """Bidders who meet each other; see the module."""

    meets: ClassVar[bool] = True

    def __init__(self, settings: MarketSettings) -> None:
        self._market = settings
        super().__init__(settings)

    def _pack(self) -> list[PackedRules]:
        return [pack(self._rules, by="time")]

    def _make_arrays(self) -> None:
        super()._make_arrays()
        self._seen = np.zeros((self.agents, self._settings.window * self._settings.episode_length, 3))

    def _episodes(self, requests: Requests, stretch: slice, episode: int, out: FloatArray) -> None:
        price = requests.price if self._market.residual else np.zeros_like(requests.price)
        rules, shared = self._packed[0], self._market.correlation
        self._general(requests, stretch, episode, rules, slice(0, self.agents), out, price, shared)

    def _met(self, bidder: int, first: int, count: int) -> FloatArray:
        """Return what a bidder met: own click probabilities, the highest rival price, own truth."""
        length = self.plan.length
        size = self._settings.window * length
        order = (first * length + np.arange(count * length)) % size
        met: FloatArray = self._seen[bidder, order]
        return met


def reward(plan: Training, row: FloatArray) -> float:
    """Return what one episode's results [5] are worth by predicted clicks, in the unit of the objective."""
    if plan.objective == "impressions":
        return float(row[kernels.IMPRESSIONS])
    if plan.objective == "profit":
        return float(plan.cpc * row[kernels.PREDICTED] - row[kernels.COST])
    return float(row[kernels.PREDICTED])


def _pricing(rule: Any) -> tuple[bool, int]:
    """Return (second price?, reserve) of a single-item auction rule."""
    name = getattr(rule, "name", type(rule).__name__)
    if name not in ("first_price", "second_price"):
        raise UnsupportedGame(f"a bidding world hosts the mechanisms first_price and second_price, got {name!r}")
    reserve = getattr(rule.settings, "reserve", 0.0)
    if isinstance(reserve, list) or reserve != int(reserve):
        raise UnsupportedGame(f"the reserve of {name!r} must be one whole number in a bidding world, got {reserve!r}")
    return name == "second_price", int(reserve)


def build_campaign(settings: CampaignSettings, *, seeds: SeedTree) -> Campaign:
    """Build the replay world; the engine attaches bidders and resets it."""
    return Campaign(settings)


def build_market(settings: MarketSettings, *, seeds: SeedTree) -> Market:
    """Build the market world; the engine attaches bidders and resets it."""
    return Market(settings)
