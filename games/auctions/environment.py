"""Repeated auctions as a PettingZoo parallel environment: one bid per agent and round.

An episode has T rounds; every round draws fresh private values, all agents bid, the rule decides.  Agents observe
their value, the share of their budget that is left (1 without budgets) and the share of the rounds that are left.
Payments are taken from budgets, and bids above the remaining budget are treated as the rule says (clipped by default).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from gymnasium.spaces import Box
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from equilibria.games.auctions.bayesian import SingleItemAuction
from equilibria.mechanisms.checks import per_bidder
from equilibria.mechanisms.priors import Prior
from equilibria.sim.errors import InvalidValue

Observation = NDArray[np.float64]


class AuctionEnv(ParallelEnv):  # type: ignore[misc]
    """A single-item auction, repeated for a number of rounds.

    Args:
        rule: A single-item rule of the mechanism library.
        priors: One value distribution per agent; unbounded ones are cut at the 99.9 % quantile.
        rounds: Rounds T of an episode.
        budgets: Money of each agent for the episode, ``None`` for no limits.
        top_bid: Highest bid of the action space; the highest value if ``None``.
    """

    def __init__(
        self, rule: Any, priors: Sequence[Prior], *, rounds: int = 1, budgets: Sequence[float] | None = None,
        top_bid: float | None = None,
    ) -> None:  # fmt: skip
        if not priors or rounds < 1:
            raise InvalidValue(f"need at least one agent and one round, got {len(priors)} and {rounds}")
        self._rule: SingleItemAuction = rule
        self._priors, self._rounds = tuple(priors), rounds
        self._budgets = None if budgets is None else per_bidder(budgets, len(priors), what="budgets")
        highs = [p.high if np.isfinite(p.high) else float(p.quantile(0.999)) for p in priors]
        self._highs = np.array(highs)
        top = float(top_bid if top_bid is not None else max(highs))
        self.metadata = {"name": f"{rule.name}_auction_v0", "render_modes": []}
        self.render_mode = None
        self.possible_agents = [f"bidder_{j}" for j in range(len(priors))]
        self.agents: list[str] = []
        self._seen = {
            a: Box(0.0, np.array([h, 1.0, 1.0]), (3,), np.float64)
            for a, h in zip(self.possible_agents, highs, strict=True)
        }
        self._acts = {a: Box(0.0, top, (1,), np.float64) for a in self.possible_agents}
        self._rng = np.random.default_rng(0)
        self._values, self._left, self._round = np.zeros(len(priors)), self._budgets, 0

    def observation_space(self, agent: str) -> Box:
        """Return the space of (value, budget left, rounds left)."""
        return self._seen[agent]

    def action_space(self, agent: str) -> Box:
        """Return the space of bids."""
        return self._acts[agent]

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Observation], dict[str, dict[str, Any]]]:
        """Start an episode; without a seed the stream of values goes on."""
        del options
        if seed is not None:
            self._rng = np.random.default_rng(seed)
        self.agents = list(self.possible_agents)
        self._round = 0
        self._left = None if self._budgets is None else self._budgets.copy()
        self._draw()
        return self._observations(), {a: {} for a in self.agents}

    def step(
        self, actions: dict[str, Any]
    ) -> tuple[dict[str, Observation], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]:
        """Run one auction; an episode ends after the last round.

        Raises:
            InvalidValue: If a bid is missing, negative or not finite.
        """
        missing = [a for a in self.agents if a not in actions]
        if missing:
            raise InvalidValue(f"no bid of {', '.join(missing)}; every agent alive must bid")
        bids = np.array([[float(np.asarray(actions[a]).reshape(-1)[0]) for a in self.agents]])
        out = self._rule.allocate_and_price(bids, budgets=self._left, first=self._round)
        gains = self._values * out.alloc[0, :, 0] - out.pay[0]
        infos = {
            a: {"won": bool(out.winner[0, 0] == j), "payment": float(out.pay[0, j])} for j, a in enumerate(self.agents)
        }
        if self._left is not None:
            self._left = np.maximum(0.0, self._left - out.pay[0])
        self._round += 1
        over = self._round == self._rounds
        self._draw()
        seen = self._observations()
        rewards = {a: float(gains[j]) for j, a in enumerate(self.agents)}
        ended, cut = dict.fromkeys(self.agents, over), dict.fromkeys(self.agents, False)
        if over:
            self.agents = []
        return seen, rewards, ended, cut, infos

    def _draw(self) -> None:
        drawn = np.array([float(p.sample(self._rng, 1)[0]) for p in self._priors])
        self._values = np.minimum(drawn, self._highs)

    def _observations(self) -> dict[str, Observation]:
        shares = np.ones(len(self.agents))
        if self._left is not None and self._budgets is not None:
            shares = np.where(self._budgets > 0, self._left / np.where(self._budgets > 0, self._budgets, 1.0), 0.0)
        rest = 1.0 - self._round / self._rounds
        return {a: np.array([self._values[j], shares[j], rest]) for j, a in enumerate(self.agents)}
