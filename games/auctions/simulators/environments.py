"""The simulated markets as PettingZoo parallel environments, for learners that bid step by step.

Everything handed out is a copy; ``reset(seed=s)`` begins a sequence of episodes that depends on s only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from gymnasium.spaces import Box, Dict, Discrete
from numpy.typing import NDArray
from pettingzoo import ParallelEnv

from equilibria.games.auctions.simulators.gym import Catalogue
from equilibria.games.auctions.simulators.gym_settings import AuctionGymSettings
from equilibria.games.auctions.simulators.net import AuctionNet, EpisodeRun
from equilibria.games.auctions.simulators.net_settings import LEAST_BUDGET, STEPS, AuctionNetSettings
from equilibria.sim.errors import IllegalAction
from equilibria.sim.seeds import SeedTree

Stepped = tuple[dict[str, Any], dict[str, float], dict[str, bool], dict[str, bool], dict[str, dict[str, Any]]]


class _Market(ParallelEnv):  # type: ignore[misc]
    """What both environments share: names, spaces and the sequence of episodes."""

    render_mode = None

    def __init__(self, name: str, agents: int, seen: Any, acts: Any) -> None:
        self.metadata = {"name": f"{name}_v0", "render_modes": [], "is_parallelizable": True}
        self.possible_agents = [f"bidder_{i}" for i in range(agents)]
        self.agents: list[str] = []
        self._seen, self._acts = seen, acts
        self._seed, self._episode = 0, 0

    def observation_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self._seen

    def action_space(self, agent: str) -> Any:
        """Return the space of an agent, the same object every time."""
        return self._acts

    def _next(self, seed: int | None) -> SeedTree:
        if seed is None:
            self._episode += 1
        else:
            self._seed, self._episode = int(seed), 0
        self.agents = list(self.possible_agents)
        return SeedTree(self._seed)

    def _check(self, actions: dict[str, Any]) -> None:
        missing = [a for a in self.agents if a not in actions]
        if missing:
            raise IllegalAction(f"no action of {', '.join(missing)}; every agent alive must act")


class AuctionGymEnv(_Market):
    """AuctionGym's model round by round.

    Observation: the seen context (o numbers), 1 if the agent takes part in this round, and its own estimate-free
    view ends there.  Action: ``{"item": ad, "bid": [amount]}``; the actions of agents that do not take part are
    ignored.  Reward: value times click minus price.

    Args:
        settings: Parameters of the model; ``rounds`` is the length of an episode.
        top_bid: Highest bid.
    """

    def __init__(self, settings: AuctionGymSettings | None = None, *, top_bid: float = 10.0) -> None:
        self._settings = s = settings or AuctionGymSettings()
        acts = Dict({"item": Discrete(s.items), "bid": Box(0.0, top_bid, (1,), np.float64)})
        super().__init__("auction_gym", s.agents, Box(-np.inf, np.inf, (s.observed_size + 1,), np.float64), acts)
        self._rng = np.random.default_rng(0)
        self._catalogue = Catalogue.draw(s, SeedTree(0))
        self._round = 0
        self._context: NDArray[np.float64] = np.ones(s.embedding_size + 1)
        self._present: NDArray[np.int64] = np.zeros(0, np.int64)

    @property
    def values(self) -> NDArray[np.float64]:
        """Values per click [N, I] of the present catalogue."""
        return self._catalogue.values.copy()

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode; the catalogue follows from the seed, contexts from seed and episode."""
        del options
        tree = self._next(seed)
        self._catalogue = Catalogue.draw(self._settings, tree.child("catalogue"))
        self._rng = tree.child("rounds", self._episode).generator()
        self._round = 0
        self._draw()
        return self._look(), {a: {} for a in self.agents}

    def step(self, actions: dict[str, Any]) -> Stepped:
        """Run one auction.

        Raises:
            IllegalAction: If an action is missing, or an item or bid of a participant is out of range.
        """
        self._check(actions)
        for i in self._present:
            name = self.possible_agents[i]
            if not self._acts.contains(actions[name]):
                raise IllegalAction(
                    f"action of {name} must be {{'item': 0..{self._settings.items - 1}, 'bid': [finite, in range]}}, "
                    f"got {actions[name]!r}"
                )
        chosen = [actions[self.possible_agents[i]] for i in self._present]
        bids = np.array([float(a["bid"][0]) for a in chosen])
        winner = int(bids.argmax())
        second = float(np.delete(bids, winner).max()) if bids.size > 1 else 0.0
        price = second if self._settings.pricing == "second" else float(bids[winner])
        i, item = int(self._present[winner]), int(chosen[winner]["item"])
        rate = 1.0 / (1.0 + np.exp(-float(self._catalogue.weights[i, item] @ self._context)))
        click = float(self._rng.random() < rate)
        rewards = dict.fromkeys(self.agents, 0.0)
        rewards[self.possible_agents[i]] = float(self._catalogue.values[i, item] * click - price)
        infos: dict[str, dict[str, Any]] = {a: {"price": 0.0, "won": False} for a in self.agents}
        for j, k in enumerate(self._present):
            infos[self.possible_agents[k]] = {"price": price, "won": j == winner}
        self._round += 1
        over = self._round == self._settings.rounds
        self._draw()
        seen, names = self._look(), list(self.agents)
        if over:
            self.agents = []
        return seen, rewards, dict.fromkeys(names, False), dict.fromkeys(names, over), infos

    def _draw(self) -> None:
        s = self._settings
        self._context = np.append(self._rng.normal(0.0, s.embedding_var, s.embedding_size), 1.0)
        self._present = self._rng.choice(s.agents, s.participants, replace=False)

    def _look(self) -> dict[str, Any]:
        present = np.zeros(self._settings.agents)
        present[self._present] = 1.0
        shown = self._context[: self._settings.observed_size]
        return {a: np.append(shown, present[i]) for i, a in enumerate(self.agents)}


class AuctionNetEnv(_Market):
    """AuctionNet's model step by step: the action is the bid per predicted conversion for the whole step.

    Observation (8): share of the day left, share of the budget left, spend of the last step over the budget,
    conversions so far over 10, cost per conversion so far over the limit, mean predicted value of the step times
    1000, impressions of the step over 10,000, mean least winning cost of the last step times 10.
    Reward: conversions of the step.  Bids of agents without money are ignored (``info["ignored_bids"]``).
    """

    def __init__(self, settings: AuctionNetSettings | None = None, *, top_multiplier: float = 1000.0) -> None:
        self._world = AuctionNet(settings)
        acts = Box(0.0, top_multiplier, (1,), np.float64)
        super().__init__("auction_net", self._world.agents, Box(0.0, np.inf, (8,), np.float64), acts)
        self._run: EpisodeRun | None = None

    def reset(
        self, seed: int | None = None, options: dict[str, Any] | None = None
    ) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
        """Begin an episode."""
        del options
        tree = self._next(seed)
        self._world.use({a: _Nobody() for a in self.possible_agents})
        self._world.reset(tree)
        self._run = EpisodeRun(self._world, self._episode + 1)
        self._run.open()
        return self._look(), {a: {"ignored_bids": 0} for a in self.agents}

    def step(self, actions: dict[str, Any]) -> Stepped:
        """Run the auctions of one step.

        Raises:
            IllegalAction: If an action is missing or out of range.
        """
        run = self._run
        self._check(actions)
        assert run is not None
        ignored = dict.fromkeys(self.agents, 0)
        for i, name in enumerate(self.agents):
            if not self._acts.contains(actions[name]):
                raise IllegalAction(f"action of {name} must be one finite multiplier in range, got {actions[name]!r}")
            multiplier = float(actions[name][0])
            if run.left[i] >= LEAST_BUDGET:
                run.place(i, name, multiplier * run.predicted[i].astype(np.float64))
            else:
                ignored[name] = run.predicted.shape[1] if multiplier > 0.0 else 0
        done = run.close()
        over = run.step == STEPS
        if not over:
            run.open()
        rewards = {a: float(done.totals[i, 1]) for i, a in enumerate(self.agents)}
        seen = self._look()
        infos = {a: {"ignored_bids": ignored[a], "cost": float(done.totals[i, 0])} for i, a in enumerate(self.agents)}
        names = list(self.agents)
        if over:
            self.agents = []
        return seen, rewards, dict.fromkeys(names, over), dict.fromkeys(names, False), infos

    def _look(self) -> dict[str, Any]:
        run, w = self._run, self._world
        assert run is not None
        totals, last = run.totals, run.history[-1] if run.history else None
        out = {}
        for i, a in enumerate(self.agents):
            n = run.predicted.shape[1]
            out[a] = np.array([
                1.0 - run.step / STEPS, run.left[i] / w.budgets[i],
                0.0 if last is None else last.totals[i, 0] / w.budgets[i], totals[i, 1] / 10.0,
                totals[i, 0] / max(totals[i, 1], 1.0) / w.limits[i], 1000.0 * float(run.predicted[i].mean()) if n else 0.0,
                n / 10_000.0, 0.0 if last is None else 10.0 * float(last.least_winning_cost.mean()),
            ])  # fmt: skip
        return out


class _Nobody:
    """Stands for the agents that act from outside."""

    def begin(self, profile: Any) -> None:
        """Do nothing."""

    def bid(self, view: Any) -> Any:
        """Bid nothing."""
        return np.zeros(view.predicted.size)


def build_gym(settings: AuctionGymSettings, *, seeds: SeedTree) -> AuctionGymEnv:
    """Build the view of ``auction_gym``; see ``games.adapters.environment``.  Episodes follow the seed of ``reset``."""
    del seeds
    return AuctionGymEnv(settings)


def build_net(settings: AuctionNetSettings, *, seeds: SeedTree) -> AuctionNetEnv:
    """Build the view of ``auction_net``; see ``games.adapters.environment``.  Episodes follow the seed of ``reset``."""
    del seeds
    return AuctionNetEnv(settings)
