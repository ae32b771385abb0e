"""A limit-order-book market with the trader population of ABIDES' configuration rmsc04.

One book with price-time priority and ticks of a cent, a fundamental value that nobody knows exactly, and traders who
wake at random times: noise, value, momentum, market makers, and zero-intelligence flows (off by default).  Every event
is processed in the order of its nanosecond; a period only says when the market is measured.  Orders may take a latency
to arrive.  Traders may hold any inventory and owe cash.

Source: Byrd, Hybinette, Balch (2019), ABIDES: towards high-fidelity market simulation, arXiv 1904.12066; Amrouni et al.
(2021), ABIDES-Gym, ICAIF.  Parameters are theirs, the rules of the traders in ``trader_kernels``.
Accounts outside the population (argument ``outside``) trade by ``submit`` and ``cancel_all`` between periods.
Cost: about 0.15 us per event of the book.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

import numpy as np
from numpy.random import Generator

from equilibria.games.markets import agenda, fundamental
from equilibria.games.markets import state as cells
from equilibria.games.markets import trader_kernels as kernels
from equilibria.games.markets.facts import batch_means, facts
from equilibria.games.markets.settings import OrderMarketSettings
from equilibria.games.markets.state import Market
from equilibria.mechanisms import book_kernels as book
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
_WORKSPACE = ("trades", "sent", "log")
_MOST = 1_000_000_000  # shares of one order from outside, so that cash stays far from 2**63
_REACH = 10_000  # ticks from the best price that ``levels`` looks at


class OrderMarket:
    """The world; see the module.

    Args:
        settings: Parameters; the defaults are those of rmsc04.
        outside: Accounts of kind ``outside``, numbered after all traders, whose orders come from the caller.

    Raises:
        InvalidValue: If ``outside`` is negative.
        GameTooLarge: If the arrays would take more than 4 GiB.
    """

    unit: ClassVar[str] = "period"
    column_names: ClassVar[tuple[str, ...]] = ("kind", "cash", "shares", "orders", "profit")
    table_names: ClassVar[tuple[str, ...]] = ("depth",)
    kinds: ClassVar[tuple[str, ...]] = kernels.KINDS
    _market: Market

    def __init__(self, settings: OrderMarketSettings | None = None, *, outside: int = 0) -> None:
        if outside < 0:
            raise InvalidValue(f"outside is a number of accounts, got {outside}; give 0 or more")
        self.settings = settings or OrderMarketSettings()
        self.outside = outside
        self._log = _whole((0, 5))
        self.reset(SeedTree(0))

    @property
    def agents(self) -> int:
        """Number of accounts: traders, then those outside."""
        return sum(self.settings.counts) + self.outside

    @property
    def clock(self) -> int:
        """Nanoseconds passed, the time of orders from outside."""
        return int(self._market.counts[cells.CLOCK])

    @property
    def tally(self) -> dict[str, int]:
        """Counts so far: events, trades, volume, cancelled, resting, crossed (books seen with bid at or above ask)."""
        names = {"events": cells.EVENTS, "trades": cells.DEALS, "volume": cells.VOLUME, "cancelled": cells.CANCELLED,
                 "resting": cells.RESTING, "crossed": cells.CROSSED}  # fmt: skip
        return {name: int(self._market.counts[k]) for name, k in names.items()}

    @property
    def kind_tally(self) -> dict[str, dict[str, int]]:
        """Counts so far by kind of trader present: orders sent, cancellations, trades and shares traded.

        A trade counts for its buyer and for its seller; a cancellation of ten orders counts ten.
        """
        names = {"orders": cells.SENT, "cancellations": cells.WITHDRAWN, "trades": cells.DEALT, "shares": cells.TRADED}
        accounts = self._market.accounts
        found = {}
        for k in np.unique(accounts[:, cells.KIND]):
            rows = accounts[accounts[:, cells.KIND] == k]
            found[self.kinds[k]] = {name: int(rows[:, c].sum()) for name, c in names.items()}
        return found

    @property
    def rows(self) -> FloatArray:
        """Rows [T, 5] of the periods so far: mid price, spread (-1 without quotes), fundamental, volume, events."""
        return self._rows

    def keep_events(self, count: int) -> None:
        """Log the next ``count`` events of the book as rows of ``OrderBook.submit`` (for tests and replays)."""
        self._log = _whole((count, 5))
        self._market = self._market._replace(log=self._log)
        self._market.counts[cells.LOGGED] = 0

    def events(self) -> IntArray:
        """Return the events logged, int64 [E, 5]."""
        return self._log[: int(self._market.counts[cells.LOGGED])].copy()

    def reset(self, seeds: SeedTree) -> None:
        """Begin the first session.

        Raises:
            GameTooLarge: If the arrays would take more than 4 GiB.
        """
        s, n = self.settings, self.agents
        ticks, slots = 2 * s.mean + 1, s.capacity
        waiting = n + slots * (1 + (s.latency > 0)) + 1000
        if 8 * (15 * slots + 9 * waiting + 3 * ticks + 15 * n + 53 * s.momentum) > 4 << 30:
            raise GameTooLarge("the market would take more than 4 GiB; lower capacity or the number of traders")
        rng = seeds.child("market").generator()
        self._key = seeds.child("market").key()
        shock = self._open(rng, seeds.child("outside").generator(), ticks, slots, waiting)
        self._oracle = np.array([float(s.mean), 0.0, shock, 0.0])
        self._rows = np.zeros((0, len(ROWS)))
        kernels.enter(self._market, self._parameters(), self._key)

    def _open(self, rng: Generator, other: Generator, ticks: int, slots: int, waiting: int) -> float:
        """Make all arrays and return the time of the first large shock."""
        s, n = self.settings, self.agents
        kind = np.repeat(np.arange(6), (*s.counts, self.outside))
        accounts = _whole((n, cells.ACCOUNT_COLUMNS))
        accounts[:, cells.KIND], accounts[:, cells.CASH], accounts[:, cells.FIRST] = kind, s.cash, NONE
        late = [r.uniform(0.0, 2.0 * s.latency, k) for r, k in ((rng, n - self.outside), (other, self.outside))]
        accounts[:, cells.LATENCY] = np.rint(np.concatenate(late) * SECOND).astype(np.int64)
        accounts[kind == kernels.MOMENTUM, cells.SEEN] = np.arange(s.momentum)
        belief = np.zeros((n, 2))
        belief[kind == kernels.VALUE, 0] = s.mean
        belief[kind == kernels.MAKER, 0] = s.first_spread
        empty = _whole((ticks, book.TICK_COLUMNS), NONE)
        empty[:, book.QUANTITY] = 0
        later = _whole((waiting, cells.LATER_COLUMNS))
        later[:, cells.SPARE] = np.arange(waiting)
        self._market = Market(
            orders=_whole((slots, book.ORDER_COLUMNS)), ticks=empty, top=np.array([-1, ticks, 0, 0]),
            trades=_whole((slots + 1, 6)), free=np.arange(slots), accounts=accounts, belief=belief,
            mids=_whole((s.momentum, cells.PRICES + cells.LONG)), heap=_whole((waiting, 3)), later=later,
            sent=_whole((2 * s.levels + 1, 5)), counts=_whole(cells.COUNTS), log=self._log,
        )  # fmt: skip
        return rng.exponential(1.0 / s.shock_rate) if s.shock_rate > 0.0 else np.inf

    def run(self, first: int, steps: int) -> None:
        """Run periods ``first .. first + steps - 1`` (the first one has number 1).

        Raises:
            InvalidValue: If more orders rest than ``capacity`` allows.
        """
        rows = np.zeros((steps, len(ROWS)))
        length = max(1, round(self.settings.period * SECOND))
        kernels.run(self._market, self._parameters(), self._oracle, self._law(), self._key, first, steps, length, rows)
        self._demand_room()
        self._rows = np.concatenate([self._rows, rows])[-HISTORY:]

    def columns(self) -> Mapping[str, AnyArray]:
        """Return kind, cash (cents), shares, resting orders and profit (cents, shares at the mid price) [N]."""
        a = self._market.accounts
        mid = self._rows[-1, 0] if len(self._rows) else float(self.settings.mean)
        return {
            "kind": a[:, cells.KIND].copy(),
            "cash": a[:, cells.CASH].copy(),
            "shares": a[:, cells.SHARES].copy(),
            "orders": a[:, cells.RESTS].copy(),
            "profit": a[:, cells.CASH] - float(self.settings.cash) + a[:, cells.SHARES] * mid,
        }

    def table(self, name: str) -> dict[str, AnyArray]:
        """Return table ``depth``: the 50 ticks on each side nearest to the market with orders: tick, side, quantity."""
        parts = []
        for side, quantity in zip((BUY, SELL), self.depth(), strict=True):
            tick = np.flatnonzero(quantity)
            tick = tick[-50:] if side == BUY else tick[:50]
            parts.append((tick, np.full(tick.size, side), quantity[tick]))
        tick, which, quantity = (np.concatenate([p[k] for p in parts]) for k in range(3))
        return {"tick": tick, "side": which, "quantity": quantity}

    def depth(self) -> tuple[IntArray, IntArray]:
        """Return the resting quantity [P] per tick, to buy and to sell."""
        quantity, tick = self._market.ticks[:, book.QUANTITY], np.arange(len(self._market.ticks))
        bid, ask = self._market.top[: book.BEST_ASK + 1]
        return np.where(tick <= bid, quantity, 0), np.where(tick >= ask, quantity, 0)

    def levels(self, count: int) -> IntArray:
        """Return the nearest prices with orders, int64 [2, count, 2]: buy then sell, best first; tick and quantity.

        Where there are fewer within 10,000 ticks of the best price, tick is -1 and quantity 0.
        """
        found = np.full((2, count, 2), (NONE, 0), np.int64)
        quantity = self._market.ticks[:, book.QUANTITY]
        bid, ask = (int(p) for p in self._market.top[: book.BEST_ASK + 1])
        for reach in (50, _REACH):  # the wide look is rarely needed
            for k, near in enumerate((quantity[max(bid - reach, 0) : bid + 1][::-1], quantity[ask : ask + reach])):
                away = np.flatnonzero(near)[:count]
                found[k, : away.size, 0] = bid - away if k == 0 else ask + away
                found[k, : away.size, 1] = near[away]
            if (found[:, -1:, 0] >= 0).all():
                break
        return found

    def submit(self, trader: int, side: int, quantity: int, tick: int | None = None) -> None:
        """Send an order of an account outside at the present clock; it reaches the book after the account's latency.

        Args:
            trader: Account, among the last ``outside`` ones.
            side: ``BUY`` (1) or ``SELL`` (-1).
            quantity: Shares, at least 1.
            tick: Price of a limit order in 1 .. P - 2; a market order without.

        Raises:
            InvalidValue: If an argument is out of its range, or if more orders rest than ``capacity`` allows.
        """
        edge = len(self._market.ticks)
        for good, text in (
            (side in (BUY, SELL), f"side is 1 (buy) or -1 (sell), got {side}"),
            (1 <= quantity <= _MOST, f"quantity lies in 1..{_MOST:,}, got {quantity}"),
            (tick is None or 1 <= tick <= edge - 2, f"tick of a limit order lies in 1..{edge - 2}, got {tick}"),
        ):
            if not good:
                raise InvalidValue(f"order of account {trader}: {text}")
        self._enter(trader, cells.ORDER, 2 * side if tick is None else side, 0 if tick is None else tick, quantity)

    def cancel_all(self, trader: int) -> None:
        """Cancel all resting orders of an account outside, with the same timing as an order.

        Raises:
            InvalidValue: If the account is not outside.
        """
        self._enter(trader, cells.CANCEL_ALL, 0, 0, 0)

    def open_orders(self, trader: int) -> IntArray:
        """Return the resting orders of any account, int64 [K, 3]: side, tick, quantity left; the latest first."""
        orders, bid = self._market.orders, self._market.top[book.BEST_BID]
        slot, found = int(self._market.accounts[trader, cells.FIRST]), []
        while slot != NONE:
            tick = int(orders[slot, book.PRICE])
            found.append((BUY if tick <= bid else SELL, tick, int(orders[slot, book.LEFT])))
            slot = int(orders[slot, book.FOLLOWING])
        return np.array(found, np.int64).reshape(-1, 3)

    def account(self, trader: int) -> tuple[int, int]:
        """Return cash (cents) and shares of any account."""
        row = self._market.accounts[trader]
        return int(row[cells.CASH]), int(row[cells.SHARES])

    def _enter(self, trader: int, what: int, side: int, tick: int, amount: int) -> None:
        """Let an order or a cancellation of an account outside come at its time."""
        m, n = self._market, self.agents
        if not n - self.outside <= trader < n:
            raise InvalidValue(
                f"account {trader} is not outside; those outside are {n - self.outside}..{n - 1}"
                if self.outside
                else f"account {trader} is not outside; build the market with outside=1 or more"
            )
        now, late = self.clock, int(m.accounts[trader, cells.LATENCY])
        agenda.hold(m.heap, m.later, m.counts, now + late, what, trader, side, tick, amount)
        if late == 0:  # at once, after what else happens in this nanosecond
            kernels.process(m, self._parameters(), self._oracle, self._law(), self._key, now + 1)
            m.counts[cells.CLOCK] = now
        self._demand_room()

    def _demand_room(self) -> None:
        if self._market.counts[cells.FULL]:
            raise InvalidValue(
                f"the book is full: {self.settings.capacity} orders rest after {self.tally['events']:,} events; "
                "raise capacity"
            )

    def facts(self, horizon: int) -> dict[str, float]:
        """Return the facts of mid-price changes over a number of periods, from the first mid price on."""
        mid = self._rows[:, 0]
        return facts(mid[mid > 0], horizon)

    def save(self) -> State:
        """Return all arrays."""
        arrays = {name: a.copy() for name, a in self._market._asdict().items() if name not in _WORKSPACE}
        return State({**arrays, "oracle": self._oracle.copy(), "rows": self._rows.copy()}, {"key": str(int(self._key))})

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        for name, place in self._market._asdict().items():
            if name not in _WORKSPACE:
                place[...] = state.arrays[name]
        self._oracle[:] = state.arrays["oracle"]
        self._rows = np.array(state.arrays["rows"], np.float64)
        self._key = np.uint64(int(str(state.meta["key"])))

    def certificate(self) -> Certificate:
        """Return how far the mid price was from the fundamental value, and whether cash and shares were conserved."""
        rows = self._rows[self._rows[:, 0] > 0]
        gap = np.abs(rows[:, 0] - rows[:, 2])
        mean, half = batch_means(gap) if gap.size else (0.0, 0.0)
        accounts = self._market.accounts
        lost = int(accounts[:, cells.CASH].sum()) - self.settings.cash * self.agents
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
                "shares_created": int(accounts[:, cells.SHARES].sum()),
                **self.tally,
                **{f"change_{k}": v for k, v in self.facts(max(1, round(60.0 / self.settings.period))).items()},
            },
            warning="" if gap.size else "there was no price yet",
        )

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
