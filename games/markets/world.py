"""A limit-order-book market with the trader population of ABIDES' configuration rmsc04.

One book with price-time priority and ticks of a cent, a fundamental value that nobody knows exactly, and traders who
wake at random times: noise, value, momentum, market makers, and zero-intelligence flows (off by default).  Every event
is processed in the order of its nanosecond; a period only says when the market is measured.  Orders may take a latency
to arrive.  Traders may hold any inventory and owe cash.

Source: Byrd, Hybinette, Balch (2019), ABIDES: towards high-fidelity market simulation, arXiv 1904.12066; Amrouni et al.
(2021), ABIDES-Gym, ICAIF.  Parameters are theirs, the rules of the traders in ``trader_kernels``.
Cost: about 0.3 us per event of the book.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from equilibria.games.markets import exchange, fundamental
from equilibria.games.markets import trader_kernels as kernels
from equilibria.games.markets.facts import batch_means, facts
from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.state import Agenda, Book, Crowd
from equilibria.mechanisms.book_kernels import BUY, NONE, SELL
from equilibria.sim.certificate import Certificate
from equilibria.sim.contract import State
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, FloatArray, IntArray

SECOND = 1_000_000_000
ROWS = ("mid", "spread", "fundamental", "volume", "events")
HISTORY = 1_000_000
"""Periods whose rows are kept for facts and the certificate."""
_GROUPS: dict[str, type] = {"book": Book, "crowd": Crowd, "agenda": Agenda}


class OrderMarket:
    """The world; see the module."""

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("kind", "cash", "shares", "orders", "profit")
    table_names: ClassVar[tuple[str, ...]] = ("depth",)
    kinds: ClassVar[tuple[str, ...]] = kernels.KINDS

    def __init__(self, settings: OrderMarketSettings | None = None) -> None:
        self.settings = settings or OrderMarketSettings()
        self._log = np.zeros((0, 5), np.int64)
        self.reset(SeedTree(0))

    @property
    def agents(self) -> int:
        """Number of traders."""
        return sum(self.settings.counts)

    @property
    def tally(self) -> dict[str, int]:
        """Counts so far: events, trades, volume, cancelled, resting, crossed (books seen with bid at or above ask)."""
        t, x = self._tally, exchange
        names = {"events": x.EVENTS, "trades": x.DEALS, "volume": x.VOLUME, "cancelled": x.CANCELLED,
                 "resting": x.RESTING, "crossed": x.CROSSED}  # fmt: skip
        return {name: int(t[k]) for name, k in names.items()}

    @property
    def rows(self) -> FloatArray:
        """Rows [T, 5] of the periods so far: mid price, spread (-1 without quotes), fundamental, volume, events."""
        return self._rows

    def keep_events(self, count: int) -> None:
        """Log the next ``count`` events of the book as rows of ``OrderBook.submit`` (for tests and replays)."""
        self._log = np.zeros((count, 5), np.int64)
        self._tally[exchange.LOGGED] = 0

    def events(self) -> IntArray:
        """Return the events logged, int64 [E, 5]."""
        return self._log[: int(self._tally[exchange.LOGGED])].copy()

    def reset(self, seeds: SeedTree) -> None:
        """Begin the first session.

        Raises:
            GameTooLarge: If the arrays would take more than 4 GiB.
        """
        s, n = self.settings, self.agents
        ticks, slots = 2 * s.mean + 1, s.capacity
        waiting = n + slots * (1 + (s.latency > 0)) + 1000
        if 8 * (18 * slots + 9 * waiting + 2 * ticks + 12 * n) > 4 << 30:
            raise GameTooLarge("the market would take more than 4 GiB; lower capacity or the number of traders")
        rng = seeds.child("market").generator()
        self._key = seeds.child("market").key()
        kind = np.repeat(np.arange(5), s.counts)
        self._book = Book(
            price=_whole(slots), side=_whole(slots), owner=_whole(slots), left=_whole(slots),
            after=_whole(slots, NONE), before=_whole(slots, NONE), head=_whole(ticks, NONE), tail=_whole(ticks, NONE),
            top=np.array([-1, ticks, 0, 0]), following=_whole(slots, NONE), preceding=_whole(slots, NONE),
            first=_whole(n, NONE), free=np.arange(slots), number=_whole(slots), trades=_whole((slots + 1, 6)),
        )  # fmt: skip
        belief = np.zeros((n, 2))
        belief[kind == kernels.VALUE, 0] = s.mean
        belief[kind == kernels.MAKER, 0] = s.first_spread
        late = np.rint(rng.uniform(0.0, 2.0 * s.latency, n) * SECOND).astype(np.int64)
        self._crowd = Crowd(
            kind, _whole(n, s.cash), _whole(n), _whole(n), _whole(n), late, _whole(n), belief,
            np.zeros((s.momentum, kernels.LONG)), _whole(s.momentum),
        )  # fmt: skip
        self._agenda = Agenda(_whole(waiting), _whole((waiting, 7)), np.arange(waiting))
        self._count, self._tally = _whole(2), _whole(exchange.TALLIES)
        shock = rng.exponential(1.0 / s.shock_rate) if s.shock_rate > 0.0 else np.inf
        self._oracle = np.array([float(s.mean), 0.0, shock, 0.0])
        self._rows = np.zeros((0, len(ROWS)))
        kernels.run(self._sim(), self._parameters(), self._oracle, self._law(), 0, 0, 1, np.zeros((0, len(ROWS))))

    def run(self, first: int, steps: int) -> None:
        """Run periods ``first .. first + steps - 1`` (the first one has number 1).

        Raises:
            InvalidValue: If more orders rest than ``capacity`` allows.
        """
        rows = np.zeros((steps, len(ROWS)))
        length = max(1, round(self.settings.period * SECOND))
        kernels.run(self._sim(), self._parameters(), self._oracle, self._law(), first, steps, length, rows)
        if self._tally[exchange.FULL]:
            raise InvalidValue(
                f"the book is full: {self.settings.capacity} orders rest after {self._tally[exchange.EVENTS]:,} events; "
                "raise capacity"
            )
        self._rows = np.concatenate([self._rows, rows])[-HISTORY:]

    def columns(self) -> Mapping[str, AnyArray]:
        """Return kind, cash (cents), shares, resting orders and profit (cents, shares at the mid price) [N]."""
        c = self._crowd
        mid = self._rows[-1, 0] if len(self._rows) else float(self.settings.mean)
        return {
            "kind": c.kind,
            "cash": c.cash,
            "shares": c.shares,
            "orders": c.orders,
            "profit": c.cash - float(self.settings.cash) + c.shares * mid,
        }

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return table ``depth``: the 50 ticks on each side nearest to the market with orders: tick, side, quantity."""
        b = self._book
        live = b.left > 0
        parts = []
        for side in (BUY, SELL):
            at = live & (b.side == side)
            tick, where = np.unique(b.price[at], return_inverse=True)
            quantity = np.bincount(where, weights=b.left[at], minlength=tick.size).astype(np.int64)
            order = slice(-50, None) if side == BUY else slice(0, 50)
            parts.append((tick[order], np.full(tick[order].size, side), quantity[order]))
        tick, which, quantity = (np.concatenate([p[k] for p in parts]) for k in range(3))
        return {"tick": tick, "side": which, "quantity": quantity}

    def depth(self) -> tuple[IntArray, IntArray]:
        """Return the resting quantity [P] per tick, to buy and to sell."""
        b, ticks = self._book, self._book.head.size
        out = [
            np.bincount(b.price[at], b.left[at], ticks) for at in ((b.left > 0) & (b.side == s) for s in (BUY, SELL))
        ]
        return out[0].astype(np.int64), out[1].astype(np.int64)

    def facts(self, horizon: int) -> dict[str, float]:
        """Return the facts of mid-price changes over a number of periods, from the first mid price on."""
        mid = self._rows[:, 0]
        return facts(mid[mid > 0], horizon)

    def save(self) -> State:
        """Return all arrays."""
        arrays: dict[str, AnyArray] = {}
        for group, values in (("book", self._book), ("crowd", self._crowd), ("agenda", self._agenda)):
            arrays |= {f"{group}/{name}": a.copy() for name, a in values._asdict().items() if name != "trades"}
        arrays |= {"count": self._count.copy(), "tally": self._tally.copy(), "oracle": self._oracle.copy()}
        return State({**arrays, "rows": self._rows.copy()}, {"key": str(int(self._key))})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        for group, values in (("book", self._book), ("crowd", self._crowd), ("agenda", self._agenda)):
            for name, place in values._asdict().items():
                if name != "trades":
                    place[...] = state.arrays[f"{group}/{name}"]
        self._count[:], self._tally[:] = state.arrays["count"], state.arrays["tally"]
        self._oracle[:] = state.arrays["oracle"]
        self._rows = np.array(state.arrays["rows"], np.float64)
        self._key = np.uint64(int(str(state.meta["key"])))

    def certificate(self) -> Certificate:
        """Return how far the mid price was from the fundamental value, and whether cash and shares were conserved."""
        rows = self._rows[self._rows[:, 0] > 0]
        gap = np.abs(rows[:, 0] - rows[:, 2])
        mean, half = batch_means(gap) if gap.size else (0.0, 0.0)
        c = self._crowd
        lost = int(c.cash.sum()) - self.settings.cash * self.agents
        return Certificate(
            measure="mean distance of the mid price from the fundamental value",
            value=mean,
            unit="cents",
            method=f"mean over {gap.size} periods, interval by 20 batch means",
            kind="estimate",
            low=max(0.0, mean - half),
            high=mean + half,
            confidence=0.95,
            sample_size=int(gap.size),
            details={
                "cash_created": lost,
                "shares_created": int(c.shares.sum()),
                **self.tally,
                **{f"change_{k}": v for k, v in self.facts(max(1, round(60.0 / self.settings.period))).items()},
            },
            warning="" if gap.size else "there was no price yet",
        )

    def _sim(self) -> tuple[Any, ...]:
        return self._book, self._crowd, self._agenda, self._count, self._tally, self._log, self._key

    def _parameters(self) -> FloatArray:
        s, k = self.settings, kernels
        par = np.zeros(k.PARAMETERS)
        for place, value in {
            k.SESSION: s.session * SECOND, k.MEAN: s.mean, k.VALUE_RATE: s.value_rate,
            k.BELIEF_REVERSION: s.belief_reversion, k.BELIEF_VOLATILITY: s.volatility,
            k.OBSERVATION: s.observation_variance, k.AGGRESSIVE: s.aggressive, k.DEPTH: s.depth,
            k.MOMENTUM_RATE: s.momentum_rate, k.MAKER_INTERVAL: s.maker_interval * SECOND,
            k.PARTICIPATION: s.participation, k.LEVELS: s.levels, k.SPACING: s.spacing, k.SKEW: s.skew,
            k.SPREAD_WEIGHT: s.spread_weight, k.LIMIT_RATE: s.limit_rate, k.MARKET_RATE: s.market_rate,
            k.CANCEL_RATE: s.cancel_rate, k.WINDOW: s.window,
        }.items():  # fmt: skip
            par[place] = value
        return par

    def _law(self) -> FloatArray:
        s = self.settings
        terms = (s.mean, s.reversion, s.volatility, s.shock_rate, s.shock_mean, s.shock_variance)
        assert len(terms) == fundamental.VARIANCE + 1
        return np.array(terms, np.float64)


def _whole(size: int | tuple[int, ...], fill: int = 0) -> IntArray:
    return np.full(size, fill, np.int64)


def build(settings: OrderMarketSettings, *, seeds: SeedTree) -> OrderMarket:
    """Build the world; the engine resets it."""
    del seeds
    return OrderMarket(settings)
