"""Bidders learned from logged days, without playing: behaviour cloning, IQL and TD3 with cloning.

The action of a step is a = log(multiplier / CPA limit), the reward the change of the running score, the discount 1
(see ``offline_log``).  Networks have two hidden layers; states are centred and scaled.

* **bc**: the mean action, by least squares.
* **iql**: V by expectile regression on Q, Q by r + V', the policy by least squares with weights
  exp(beta (Q - V) / deviation), cut at 100 (Kostrikov, Nair, Levine, 2022, ICLR, arXiv 2110.06169).
* **td3_bc**: two Qs with slow targets and smoothed target actions; the policy maximises w Q - (a - a_log)^2 with
  w = alpha / mean |Q| (Fujimoto and Gu, 2021, NeurIPS, arXiv 2106.06860).

The first two never ask Q for actions that are not in the log.  One policy serves all advertisers of a world.

Source of the selection: Su et al. (2024), arXiv 2412.10798, bundled BC, IQL and TD3-BC; features and rewards are ours.
Cost: a second per logged day of 500,000 impressions and about 10 s of training.
"""

from __future__ import annotations

import math
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import NDArray

from equilibria.agents.bidding.autobidding.offline_log import FEATURES, HIGHEST, LOWEST, OfflineLog, Watcher, record
from equilibria.agents.bidding.autobidding.settings import OfflineSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.games.auctions.simulators.net import AuctionNet
from equilibria.games.auctions.simulators.net_bidders import NetProfile, NetView
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray

Tensor = Any
MOST_WEIGHT = 100.0
TARGET_RATE = 0.005
_POLICIES: WeakKeyDictionary[AuctionNet, dict[OfflineSettings, OfflinePolicy]] = WeakKeyDictionary()


class OfflinePolicy:
    """Actions from states.

    Args:
        log: The data.
        settings: Method and its parameters.
        seeds: Source of networks and minibatches.

    Raises:
        NumericalError: If a loss is not finite.
    """

    def __init__(self, log: OfflineLog, settings: OfflineSettings, *, seeds: SeedTree) -> None:
        self.settings = settings
        live = log.live.ravel()
        states = log.states.reshape(-1, FEATURES)
        self._mean, self._scale = states[live].mean(axis=0), states[live].std(axis=0) + 1e-3
        after = np.concatenate([log.states[:, 1:], np.zeros_like(log.states[:, :1])], axis=1).reshape(-1, FEATURES)
        goes_on = np.concatenate([log.live[:, 1:], np.zeros_like(log.live[:, :1])], axis=1).ravel()
        self._data = [
            torch.from_numpy(np.ascontiguousarray(x[live], dtype=np.float32))
            for x in (self._units(states), log.actions.ravel(), log.rewards.ravel(), self._units(after), goes_on)
        ]
        start = torch.Generator().manual_seed(seeds.child("networks").integer())
        h = settings.hidden
        self._actor, self._value = _network(FEATURES, h, start), _network(FEATURES, h, start)
        self._critics = [_network(FEATURES + 1, h, start) for _ in range(2)]
        self._slow = [_network(FEATURES + 1, h, start) for _ in range(2)]
        self._slow_actor = _network(FEATURES, h, start)
        for net, slow in [*zip(self._critics, self._slow, strict=True), (self._actor, self._slow_actor)]:
            slow.load_state_dict(net.state_dict())
        self._steps = {
            id(net): torch.optim.Adam(net.parameters(), settings.rate)
            for net in (self._actor, self._value, *self._critics)
        }
        self._generator = torch.Generator().manual_seed(seeds.child("batches").integer())
        train = {"bc": self._clone, "iql": self._implicit, "td3_bc": self._regularised}[settings.method]
        for k in range(settings.updates):
            at = torch.randint(0, len(self._data[0]), (settings.batch,), generator=self._generator)
            train(k, *(x[at] for x in self._data))

    def act(self, state: NDArray[np.float32]) -> float:
        """Return the action of a state float32 [13], within its range."""
        with torch.no_grad():
            mean = self._means(self._actor, torch.from_numpy(self._units(state[None]).astype(np.float32)))
            return float(mean.clamp(LOWEST, HIGHEST)[0])

    def _units(self, states: Any) -> Any:
        return (states - self._mean) / self._scale

    def _clone(self, k: int, state: Tensor, action: Tensor, pay: Tensor, after: Tensor, on: Tensor) -> None:
        self._descend(self._actor, ((self._means(self._actor, state) - action) ** 2).mean(), k)

    def _implicit(self, k: int, state: Tensor, action: Tensor, pay: Tensor, after: Tensor, on: Tensor) -> None:
        s, pair = self.settings, torch.cat([state, action[:, None]], -1)
        with torch.no_grad():
            q = torch.minimum(self._slow[0](pair), self._slow[1](pair)).squeeze(-1)
            goal = pay + on * self._value(after).squeeze(-1)
        gap = q - self._value(state).squeeze(-1)
        self._descend(self._value, (torch.where(gap > 0, s.expectile, 1.0 - s.expectile) * gap**2).mean(), k)
        for net in self._critics:
            self._descend(net, ((net(pair).squeeze(-1) - goal) ** 2).mean(), k)
        self._follow()
        with torch.no_grad():
            weight = torch.exp(s.temperature * gap.detach() / (gap.std() + 1e-6)).clamp(max=MOST_WEIGHT)
        error = (self._means(self._actor, state) - action) ** 2
        self._descend(self._actor, (weight * error).mean() / weight.mean(), k)

    def _regularised(self, k: int, state: Tensor, action: Tensor, pay: Tensor, after: Tensor, on: Tensor) -> None:
        with torch.no_grad():
            noise = (0.2 * torch.randn(len(action), generator=self._generator)).clamp(-0.5, 0.5)
            following = (self._means(self._slow_actor, after) + noise).clamp(LOWEST, HIGHEST)
            ahead = torch.cat([after, following[:, None]], -1)
            goal = pay + on * torch.minimum(self._slow[0](ahead), self._slow[1](ahead)).squeeze(-1)
        pair = torch.cat([state, action[:, None]], -1)
        for net in self._critics:
            self._descend(net, ((net(pair).squeeze(-1) - goal) ** 2).mean(), k)
        if k % 2 == 0:
            own = self._means(self._actor, state)
            q = self._critics[0](torch.cat([state, own[:, None]], -1)).squeeze(-1)
            scale = self.settings.ambition / (q.abs().mean().detach() + 1e-6)
            self._descend(self._actor, ((own - action) ** 2).mean() - scale * q.mean(), k)
            self._follow()

    def _means(self, actor: Any, state: Tensor) -> Tensor:
        # not cut to the range of actions here: a mean beyond it would have no gradient back
        return actor(state).squeeze(-1)

    def _follow(self) -> None:
        with torch.no_grad():
            for net, slow in [*zip(self._critics, self._slow, strict=True), (self._actor, self._slow_actor)]:
                for mine, theirs in zip(net.parameters(), slow.parameters(), strict=True):
                    theirs.lerp_(mine, TARGET_RATE)

    def _descend(self, net: Any, loss: Tensor, k: int) -> None:
        if not bool(torch.isfinite(loss)):
            raise NumericalError("loss", float(loss.detach()), step=k, where=f"offline learner {self.settings.method}")
        step = self._steps[id(net)]
        step.zero_grad()
        loss.backward()
        step.step()


class OfflineBidder:
    """Bids by a learned policy: exp(action) times the CPA limit per predicted conversion."""

    def __init__(self, policy: OfflinePolicy) -> None:
        self._policy, self._watcher = policy, Watcher()

    def begin(self, profile: NetProfile) -> None:
        """Begin an episode."""
        self._watcher.begin(profile)

    def bid(self, view: NetView) -> FloatArray:
        """Return the bids [n]."""
        action = self._policy.act(self._watcher.look(view))
        self._watcher.action = action
        return np.asarray(math.exp(action) * self._watcher.profile.cpa_limit * view.predicted, np.float64)


def learned_policy(world: AuctionNet, settings: OfflineSettings) -> OfflinePolicy:
    """Record days of a world like ``world`` and learn from them; one policy per world object and settings."""
    known = _POLICIES.setdefault(world, {})
    if settings not in known:
        seeds = SeedTree(settings.seed).child("offline")
        log = record(AuctionNet(world.settings), settings.days, seeds.child("log"))
        known[settings] = OfflinePolicy(log, settings, seeds=seeds.child(settings.method))
    return known[settings]


def _network(inputs: int, hidden: int, generator: Any) -> Any:
    layers: list[Any] = []
    for a, b in ((inputs, hidden), (hidden, hidden), (hidden, 1)):
        layer = torch.nn.Linear(a, b)
        torch.nn.init.orthogonal_(layer.weight, 2.0**0.5 if b > 1 else 0.1, generator=generator)
        torch.nn.init.zeros_(layer.bias)
        layers += [layer, torch.nn.ReLU()]
    return torch.nn.Sequential(*layers[:-1])


def build(settings: OfflineSettings, *, game: AuctionNet, roles: Any, seeds: SeedTree, budget: int) -> OfflineBidder:
    """Build the agent; the first one of a world records and learns."""
    return OfflineBidder(learned_policy(game, settings))
