"""The order market as a PettingZoo parallel environment: learning traders among the population of a scenario.

Traders decide at the end of every period and their orders reach the same book as everybody's.  Two tasks, after the
two environments of ABIDES-Gym: an *investor* starts without shares and wants wealth, an *execution* trader must buy or
sell a parent order within the session at little cost.

Source of the tasks: Amrouni et al. (2021), ABIDES-Gym, ICAIF, arXiv 2110.14771: a decision a minute, three depth levels
in the imbalance, three past price changes, ruin at 30 % of the starting cash, 1000 shares to execute, 1000 cents per
share that is not.  Limit orders at chosen prices, several traders and the form of the rewards are ours.
Cost: a period of the population (a minute of rmsc04: 0.3 ms) and about 0.1 ms.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, MultiDiscrete

from equilibria.games.adapters.episodes import EpisodicView, Stepped
from equilibria.games.markets.settings import OrderMarketViewSettings
from equilibria.games.markets.world import OrderMarket
from equilibria.mechanisms.book_kernels import BUY, SELL
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

HOLD, MARKET_BUY, MARKET_SELL, LIMIT_BUY, LIMIT_SELL, CANCEL = range(6)
"""First part of an investor's action."""
_OF_EXECUTION = {BUY: (HOLD, MARKET_BUY, LIMIT_BUY, CANCEL), SELL: (HOLD, MARKET_SELL, LIMIT_SELL, CANCEL)}
_SIDES = {MARKET_BUY: BUY, LIMIT_BUY: BUY, MARKET_SELL: SELL, LIMIT_SELL: SELL}


class OrderMarketEnv(EpisodicView):
    """Learning traders ``trader_0``, ``trader_1`` ... in an order market; an episode is a session.

    * Action: ``[what, behind, size]``.  ``what`` of an investor: 0 hold, 1 market order to buy, 2 to sell, 3 limit order to
      buy, 4 to sell, 5 cancel all own orders; of an execution trader: 0 hold, 1 market order, 2 limit order, 3 cancel.  A limit
      order lies ``behind`` ticks behind the best price of its side at the time of the observation, ``size`` is an index of
      ``sizes``.  A market order takes what the other side has and the rest lapses.  Orders of one period arrive in turn;
      another trader is first every time.
    * Observation, float64: mid price over ``mean``; spread in cents, -1 without quotes; share of buy orders in the
      quantity of the best ``book_levels`` levels (1/2 without any); the last ``history`` changes of the mid price from period
      to period in cents, oldest first; own cash less the starting cash, over ``mean``; own shares, quantity of own open
      orders to buy and to sell, all over the largest size; share of the trading time left.  Of an execution trader also the
      share of the parent order left and the mid price's move against it since its arrival in cents.
    * Reward in cents.  Investor: change of wealth, cash and shares at the mid price.  Execution: minus what was paid above
      (received below) the mid price at arrival, and minus ``penalty`` per share that is left at the end: the
      implementation shortfall.
    * Info: ``cash`` (cents), ``shares``, ``wealth`` (cents) and ``fundamental``, the value that nobody in the market sees; of
      execution also ``left`` and ``arrival`` (cents).

    Episodes are truncated at the end of the session.  An execution trader is terminated when its parent order is done, an
    investor when its wealth falls below ``ruin`` times the starting cash; its open orders are cancelled.  Orders of an
    execution trader are cut to what is left and not yet open.  Traders may owe cash and shares like everybody.
    ``reset(seed=s)`` depends on s only; ``reset()`` goes on with the next session of the same seed.

    Args:
        settings: Population, traders and task.
        seeds: Source of everything random until ``reset`` is given a seed.
    """

    def __init__(self, settings: OrderMarketViewSettings | None = None, *, seeds: SeedTree | None = None) -> None:
        self.settings = s = settings or OrderMarketViewSettings()
        self._parent = s.parent if s.task == "execution" else 0
        self._side = BUY if s.side == "buy" else SELL
        kinds = len(_OF_EXECUTION[BUY]) if self._parent else CANCEL + 1
        acts = MultiDiscrete([kinds, s.offsets, len(s.sizes)])
        seen = Box(-np.inf, np.inf, (8 + s.history + 2 * bool(self._parent),), np.float64)
        names = [f"trader_{i}" for i in range(s.traders)]
        super().__init__("order_market", dict.fromkeys(names, seen), dict.fromkeys(names, acts), seeds or SeedTree(0))
        self._world = OrderMarket(s, outside=s.traders)
        self._index = {name: self._world.agents - s.traders + i for i, name in enumerate(names)}
        self._periods = round(s.session / s.period)
        self._now = 0
        self._arrival = float(s.mean)
        self._before: dict[str, tuple[int, int]] = {}

    @property
    def world(self) -> OrderMarket:
        """The market of the running episode; the learning traders are its last ones."""
        return self._world

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin a session and run the periods before the first decision.

        Raises:
            InvalidValue: If the seed is negative, or more orders rest than ``capacity`` allows.
        """
        del options
        self._begin(seed)
        self._world.reset(self._seeds.child("environment", self._episode))
        self._now = self.settings.warm_up
        self._world.run(1, self._now)
        self._arrival = self._mids()[-1]
        self._before = {agent: self._world.account(self._index[agent]) for agent in self.agents}
        return self._look(), self._infos()

    def step(self, actions: dict[str, Any]) -> Stepped:
        """Enter the traders' orders and run a period.

        Raises:
            GameError: Before the first reset, or after the end of an episode.
            IllegalAction: If an action is missing, nobody's or out of range.
            InvalidValue: If more orders rest than ``capacity`` allows.
        """
        if not self.agents and self._episode >= 0 and not actions:
            return {}, {}, {}, {}, {}
        self._refuse(actions)
        best = self._world.levels(1)[:, 0, 0]
        first = self._now % len(self.agents)
        for agent in self.agents[first:] + self.agents[:first]:
            what, behind, size = (int(part) for part in actions[agent])
            self._act(agent, what, behind, self.settings.sizes[size], best.tolist())
        before = self._mids()[-1]
        self._now += 1
        self._world.run(self._now, 1)
        over = self._now == self._periods
        rewards = {agent: self._reward(agent, before, over) for agent in self.agents}
        ended = {agent: self._done(agent) for agent in self.agents}
        cut = {agent: over and not ended[agent] for agent in self.agents}
        seen, infos = self._look(), self._infos()
        self._before = {agent: self._world.account(self._index[agent]) for agent in self.agents}
        for agent in self.agents:
            if ended[agent]:  # nobody would look after its orders
                self._world.cancel_all(self._index[agent])
        self.agents = [agent for agent in self.agents if not ended[agent] and not cut[agent]]
        return seen, rewards, ended, cut, infos

    def _act(self, agent: str, what: int, behind: int, size: int, best: list[int]) -> None:
        """Send one order or cancellation; ``best`` holds the best bid and ask, -1 without one."""
        trader = self._index[agent]
        if self._parent:
            what = _OF_EXECUTION[self._side][what]
            opened = int(self._world.open_orders(trader)[:, 2].sum())
            size = min(size, self._left(agent) - opened)
        if what == HOLD or size < 1:
            return
        if what == CANCEL:
            self._world.cancel_all(trader)
            return
        side, tick = _SIDES[what], None
        if what in (LIMIT_BUY, LIMIT_SELL):
            quote = best[0 if side == BUY else 1]
            tick = (quote if quote >= 0 else round(self._mids()[-1])) - side * behind
            tick = min(max(tick, 1), 2 * self.settings.mean - 1)
        self._world.submit(trader, side, size, tick)

    def _reward(self, agent: str, before: float, over: bool) -> float:
        cash, shares = self._world.account(self._index[agent])
        old_cash, old_shares = self._before[agent]
        if not self._parent:
            return float(cash - old_cash) + shares * self._mids()[-1] - old_shares * before
        missed = self._left(agent) if over else 0
        return float(cash - old_cash) + (shares - old_shares) * self._arrival - self.settings.penalty * missed

    def _done(self, agent: str) -> bool:
        """Say whether the parent order is done, or an investor is ruined."""
        if self._parent:
            return self._left(agent) == 0
        cash, shares = self._world.account(self._index[agent])
        return cash + shares * self._mids()[-1] < self.settings.ruin * self.settings.cash

    def _left(self, agent: str) -> int:
        """Return how many shares of the parent order are left."""
        return self._parent - self._side * self._world.account(self._index[agent])[1]

    def _mids(self) -> list[float]:
        """Return the mid prices after the last ``history + 1`` periods, the mean value before there was one."""
        mids = self._world.rows[-self.settings.history - 1 :, 0]
        return [float(m) if m > 0.0 else float(self.settings.mean) for m in mids]

    def _look(self) -> dict[str, FloatArray]:
        s, mids = self.settings, self._mids()
        changes = np.zeros(s.history)
        if len(mids) > 1:
            changes[-(len(mids) - 1) :] = np.diff(mids)
        quantity = self._world.levels(s.book_levels)[:, :, 1].sum(axis=1)
        share = float(quantity[0] / quantity.sum()) if quantity.sum() > 0 else 0.5
        common = [mids[-1] / s.mean, float(self._world.rows[-1, 1]), share, *changes]
        left = (self._periods - self._now) / (self._periods - s.warm_up)
        return {
            agent: np.array([*common, *self._own(agent), left, *self._task(agent, mids[-1])]) for agent in self.agents
        }

    def _own(self, agent: str) -> list[float]:
        """Return own cash, shares and open orders to buy and to sell, in their units."""
        trader, top = self._index[agent], self.settings.sizes[-1]
        cash, shares = self._world.account(trader)
        orders = self._world.open_orders(trader)
        opened = [float(orders[orders[:, 0] == side, 2].sum()) / top for side in (BUY, SELL)]
        return [(cash - self.settings.cash) / self.settings.mean, shares / top, *opened]

    def _task(self, agent: str, mid: float) -> list[float]:
        """Return what an execution trader sees beside the rest: share left, move of the price against it."""
        if not self._parent:
            return []
        return [self._left(agent) / self._parent, self._side * (mid - self._arrival)]

    def _infos(self) -> dict[str, dict[str, Any]]:
        mid, infos = self._mids()[-1], {}
        for agent in self.agents:
            cash, shares = self._world.account(self._index[agent])
            infos[agent] = {
                "cash": cash, "shares": shares, "wealth": cash + shares * mid,
                "fundamental": float(self._world.rows[-1, 2]),
            }  # fmt: skip
            if self._parent:
                infos[agent] |= {"left": self._left(agent), "arrival": self._arrival}
        return infos


def build(settings: OrderMarketViewSettings, *, seeds: SeedTree) -> OrderMarketEnv:
    """Build the view of a scenario's name; see ``games.adapters.environment``."""
    return OrderMarketEnv(settings, seeds=seeds)
