"""AuctionGym's model: bidders choose an ad and a bid in single-slot auctions with contextual click rates.

Context x ~ N(0, sigma^2)^d and a 1; bidders see its first o entries.  Every bidder has I ads with
embeddings N(0, sigma^2)^d, intercept -3 - U[0, 1] and value per click LogNormal(0.1, 0.2); an ad is
clicked with probability sigmoid(x . ad).  P of the N bidders, drawn without replacement, choose the ad
with the highest estimated value and bid; the highest bid wins and pays the next one (second price) or
itself (first price).  Equal bids go to the bidder drawn first.  One period is one iteration of R auctions,
after which bidders learn.

Source: Jeunen, Murphy, Allison (2023), Off-policy learning-to-bid with AuctionGym, KDD.
Cost: about 0.3 us per auction with oracles (N = 6, P = 2, I = 12, d = 5); Thompson sampling about 3 us.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from equilibria.games.auctions.simulators import gym_kernels as kernels
from equilibria.games.auctions.simulators.gym_bidders import NETWORK_SIZE, GymBidder, GymLog, GymRule
from equilibria.games.auctions.simulators.gym_settings import AuctionGymSettings
from equilibria.games.auctions.simulators.hosting import bidders_of
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import AgentSpec, State
from equilibria.sim.errors import GameTooLarge, InvalidValue, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import JSON, AnyArray, FloatArray, IntArray

COLUMNS = (
    "net_utility", "gross_utility", "expected_gross_utility", "allocation_regret", "estimation_regret",
    "overbid_regret", "underbid_regret", "ctr_rmse", "ctr_bias", "shading", "auctions", "won", "paid",
)  # fmt: skip
LOG_LIMIT = 2 << 30
"""Bytes that the log of an iteration may take."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """The ads: weights float64 [N, I, d + 1] with the intercept last, values float64 [N, I] per click.

    Raises:
        InvalidValue: If a number is not finite or a value not above 0; names the first one.
    """

    weights: FloatArray
    values: FloatArray

    def __post_init__(self) -> None:
        for name, array, good in (
            ("weights", self.weights, np.isfinite(self.weights)),
            ("values", self.values, np.isfinite(self.values) & (self.values > 0.0)),
        ):
            if not good.all():
                where = tuple(int(k) for k in np.argwhere(~good)[0])
                raise InvalidValue(
                    f"{name}{list(where)} must be finite{' and above 0' if name == 'values' else ''}, "
                    f"got {float(array[where])!r}"
                )

    @classmethod
    def draw(cls, settings: AuctionGymSettings, seeds: SeedTree) -> Catalogue:
        """Draw the ads of all bidders."""
        s, rng = settings, seeds.generator()
        shape = (s.agents, s.items)
        ads = rng.normal(0.0, s.embedding_var, (*shape, s.embedding_size))
        intercept = -3.0 - rng.random((*shape, 1))
        return cls(np.concatenate([ads, intercept], axis=2), rng.lognormal(0.1, 0.2, shape))


@dataclass(frozen=True, slots=True)
class Packed:
    """The rules of all bidders as arrays, arguments of ``kernels.play``."""

    oracle: AnyArray
    mean: FloatArray
    spread: FloatArray
    shading: IntArray
    parameters: FloatArray
    nets: FloatArray

    @classmethod
    def of(cls, rules: Sequence[GymRule], items: int, observed: int) -> Packed:
        """Pack rules.

        Raises:
            InvalidValue: If an array has the wrong shape or a number is not finite; names the bidder.
        """
        n, shape = len(rules), (items, observed + 1)
        made = cls(
            np.array([r.mean is None for r in rules]), np.zeros((n, *shape)), np.zeros((n, *shape)),
            np.array([r.shading for r in rules], np.int64), np.array([[r.centre, r.width] for r in rules], np.float64),
            np.zeros((n, NETWORK_SIZE)),
        )  # fmt: skip
        for i, rule in enumerate(rules):
            for what, given, place in (("mean", rule.mean, made.mean), ("spread", rule.spread, made.spread)):
                if given is not None and given.shape != shape:
                    raise InvalidValue(f"bidder {i}: {what} must have shape {shape}, got {given.shape}")
                place[i] = 0.0 if given is None else given
            made.nets[i, : rule.network.size] = rule.network
            if not all(np.isfinite(a[i]).all() for a in (made.mean, made.spread, made.parameters, made.nets)):
                raise InvalidValue(f"bidder {i}: its rule holds a number that is not finite")
        return made

    def arrays(self) -> dict[str, AnyArray]:
        """Return the arrays by name."""
        return {name: getattr(self, name).copy() for name in self.__slots__}


class AuctionGym:
    """The world; see the module.  Bidders come from ``attach`` (scenarios) or ``use`` (Python)."""

    unit: ClassVar[str] = "iteration"
    column_names: ClassVar[tuple[str, ...]] = COLUMNS

    def __init__(self, settings: AuctionGymSettings | None = None) -> None:
        self._settings = settings or AuctionGymSettings()
        self._bidders: list[GymBidder] = []
        self.labels: tuple[str, ...] = ()
        self.catalogue: Catalogue | None = None
        self._logs = np.zeros(0)
        self._key = np.uint64(0)
        self._iteration = 0
        self._totals = np.zeros((self.agents, kernels.FIELDS))
        self._packed: Packed | None = None

    @property
    def agents(self) -> int:
        """Number of bidders N."""
        return self._settings.agents

    @property
    def settings(self) -> AuctionGymSettings:
        """Parameters of the world."""
        return self._settings

    def attach(self, agents: Sequence[AgentSpec], mechanisms: Sequence[Any]) -> None:
        """Take one kind of bidder for all, or one entry per bidder.

        Raises:
            UnsupportedGame: If the number of entries is neither 1 nor N, an agent is no bidder of this world, or
                mechanisms are named (``pricing`` decides).
        """
        if mechanisms:
            raise UnsupportedGame("auction_gym has its own auction; set pricing and name no mechanisms")
        made, labels = bidders_of(agents, self, needs="rule", count=self.agents)
        self.use(dict(zip(labels, made, strict=True)))

    def use(self, bidders: Mapping[str, GymBidder]) -> None:
        """Take N bidders by label.

        Raises:
            UnsupportedGame: If there are not N.
        """
        if len(bidders) != self.agents:
            raise UnsupportedGame(f"auction_gym needs {self.agents} bidders, got {len(bidders)}")
        self._bidders, self.labels = list(bidders.values()), tuple(bidders)

    def reset(self, seeds: SeedTree) -> None:
        """Draw the ads and let bidders forget.

        Raises:
            UnsupportedGame: If there are no bidders.
            GameTooLarge: If the log of an iteration would take more than 2 GiB.
        """
        if not self._bidders:
            raise UnsupportedGame("auction_gym needs bidders; name one kind, or one per bidder, under agents:")
        s = self._settings
        size = 8 * s.rounds * (s.participants * (kernels.LOGGED + 2) + s.observed_size + 1)
        if size > LOG_LIMIT:
            raise GameTooLarge(
                f"the log of an iteration would take {size:,} bytes (limit {LOG_LIMIT:,}); lower rounds or participants"
            )
        self.catalogue = Catalogue.draw(s, seeds.child("catalogue"))
        self._logs = np.log(self.catalogue.values)
        self._key = seeds.child("auctions").key()
        for i, bidder in enumerate(self._bidders):
            bidder.prepare(
                self.catalogue.values[i].copy(), s.observed_size, s.pricing == "first", seeds.child("bidder", i)
            )
        self._iteration = 0
        self._totals[:] = 0.0
        self._packed = None

    def run(self, first: int, steps: int) -> None:
        """Run iterations ``first .. first + steps - 1`` (the first one has number 1)."""
        learners = [i for i, b in enumerate(self._bidders) if b.learns]
        for iteration in range(first, first + steps):
            self._packed = Packed.of(
                [b.rule() for b in self._bidders], self._settings.items, self._settings.observed_size
            )
            self._totals[:] = 0.0
            log, who, item, contexts = self._play(iteration, self._totals, logged=bool(learners))
            for i in learners:
                at = np.argwhere(who == i)
                self._bidders[i].learn(self._own(log, item, contexts, at), iteration)
            self._iteration = iteration

    def columns(self) -> Mapping[str, AnyArray]:
        """Return per bidder [N], of the last iteration: utilities, regrets (money), click-rate errors, counts."""
        t = self._totals
        played, won = np.maximum(t[:, kernels.PLAYED], 1.0), np.maximum(t[:, kernels.WON], 1.0)
        values = t.copy()
        values[:, kernels.SQUARES] = np.sqrt(t[:, kernels.SQUARES] / played)
        values[:, kernels.BIAS] = t[:, kernels.BIAS] / won
        values[:, kernels.GAMMA] = t[:, kernels.GAMMA] / played
        return {name: values[:, k] for k, name in enumerate(COLUMNS)}

    def save(self) -> State:
        """Return the last iteration's totals and rules, and what bidders learned; ads follow from the seeds."""
        arrays: dict[str, AnyArray] = {"totals": self._totals.copy()}
        if self._packed is not None:
            arrays |= {f"rules/{k}": v for k, v in self._packed.arrays().items()}
        for i, bidder in enumerate(self._bidders):
            arrays |= {f"bidder{i}/{k}": v for k, v in bidder.arrays().items()}
        if self.catalogue is not None:
            arrays |= {"weights": self.catalogue.weights.copy(), "values": self.catalogue.values.copy()}
        return State(arrays, {"iteration": self._iteration, "key": str(int(self._key))})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        self._totals[:] = state.arrays["totals"]
        rules = state.part("rules").arrays
        self._packed = Packed(**{k: np.asarray(v) for k, v in rules.items()}) if rules else None  # type: ignore[arg-type]
        self.catalogue = Catalogue(
            np.asarray(state.arrays["weights"], np.float64), np.asarray(state.arrays["values"], np.float64)
        )
        self._logs = np.log(self.catalogue.values)
        for i, bidder in enumerate(self._bidders):
            bidder.restore({k: np.asarray(v) for k, v in state.part(f"bidder{i}").arrays.items()})
        self._iteration, self._key = int(str(state.meta["iteration"])), np.uint64(int(str(state.meta["key"])))

    def certificate(self) -> Certificate:
        """Return the largest gain of a bidder from another constant shading factor in the last iteration."""
        s = self._settings
        grid = np.concatenate([[0.0], np.arange(1, s.grid + 1) * 1.5 / s.grid, [1.0]])
        own, values = np.zeros(self.agents), np.zeros((self.agents, grid.size))
        if self._iteration:
            log, who, _, _ = self._play(self._iteration, np.zeros_like(self._totals), logged=True)
            kernels.deviations(log, who, s.pricing == "second", grid, own, values)
        played = np.maximum(self._totals[:, kernels.PLAYED], 1.0)
        gains = np.maximum(0.0, values.max(axis=1) - own) / played
        details: dict[str, JSON] = {
            "gains": dict(zip(self.labels, gains.tolist(), strict=True)),
            "best_factor": dict(zip(self.labels, grid[values.argmax(axis=1)].tolist(), strict=True)),
            "auctions_judged": s.rounds if self._iteration else 0,
        }
        return Certificate(
            measure="largest best-reply gain within constant shading factors",
            value=float(gains.max()),
            unit="value per auction taken part in",
            method=f"exact replay of {grid.size} factors against the rivals' bids of the last iteration, by true click rates",
            details=details,
            warning="factors that depend on the context, or other ads, may gain more"
            if self._iteration
            else "no iteration is complete",
        )

    def _play(
        self, iteration: int, totals: FloatArray, *, logged: bool
    ) -> tuple[FloatArray, IntArray, IntArray, FloatArray]:
        s, packed, catalogue = self._settings, self._packed, self.catalogue
        assert packed is not None
        assert catalogue is not None
        kept = s.rounds if logged else 0
        log = np.empty((kept, s.participants, kernels.LOGGED))
        who, item = (np.empty((kept, s.participants), np.int64) for _ in range(2))
        contexts = np.empty((kept, s.observed_size + 1))
        kernels.play(
            self._key, (iteration - 1) * s.rounds, s.rounds, s.participants, s.pricing == "second", s.embedding_var,
            catalogue.weights, catalogue.values, self._logs, s.observed_size, packed.oracle, packed.mean, packed.spread,
            packed.shading, packed.parameters, packed.nets, totals, log, who, item, contexts,
        )  # fmt: skip
        return log, who, item, contexts

    def _own(self, log: FloatArray, item: IntArray, contexts: FloatArray, at: IntArray) -> GymLog:
        rows = log[at[:, 0], at[:, 1]]
        column = rows.T.copy()
        return GymLog(
            context=contexts[at[:, 0]], item=item[at[:, 0], at[:, 1]], rate=column[kernels.L_CTR],
            value=column[kernels.L_VALUE], factor=column[kernels.L_GAMMA], raw=column[kernels.L_RAW],
            density=column[kernels.L_DENSITY], price=column[kernels.L_PRICE], won=column[kernels.L_WON] > 0.0,
            click=column[kernels.L_CLICK], first_price=self._settings.pricing == "first",
        )  # fmt: skip


def build(settings: AuctionGymSettings, *, seeds: SeedTree) -> AuctionGym:
    """Build the world; the engine attaches bidders and resets it."""
    return AuctionGym(settings)
