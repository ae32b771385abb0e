"""Logged transitions in the units of learners, and what all learners share.

States are centred and scaled; rewards are divided by the standard deviation of returns, so that values are of the size
of 1 whatever a score is worth.  Actions are single numbers in a range.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from equilibria.agents.bidding.autobidding.offline_log import HIGHEST, LOWEST, OfflineLog
from equilibria.agents.bidding.autobidding.settings import OfflineSettings
from equilibria.agents.learning.torch_import import torch
from equilibria.sim.errors import NumericalError
from equilibria.sim.seeds import SeedTree

Tensor = Any


@dataclass(frozen=True, slots=True)
class Transitions:
    """Transitions (a minibatch, or all).

    Attributes:
        state: float32 [n, F].
        action: float32 [n].
        pay: float32 [n] reward.
        after: float32 [n, F] next state, anything where the day is over.
        on: float32 [n] 1 where the day goes on.
    """

    state: Tensor
    action: Tensor
    pay: Tensor
    after: Tensor
    on: Tensor

    def __len__(self) -> int:
        """Return n."""
        return int(self.state.shape[0])

    def pick(self, rows: Tensor) -> Transitions:
        """Return some rows."""
        return Transitions(self.state[rows], self.action[rows], self.pay[rows], self.after[rows], self.on[rows])

    def join(self, other: Transitions) -> Transitions:
        """Return the rows of both."""
        mine, theirs = ((t.state, t.action, t.pay, t.after, t.on) for t in (self, other))
        return Transitions(*(torch.cat(pair) for pair in zip(mine, theirs, strict=True)))


class Units:
    """Scaling of a log: see the module.

    Attributes:
        reward: What one unit of value is worth in rewards.
    """

    def __init__(self, log: OfflineLog) -> None:
        states = log.states[log.live]
        self._mean, self._scale = states.mean(axis=0), states.std(axis=0) + 1e-3
        ahead = np.cumsum(log.rewards[:, ::-1], axis=1)[:, ::-1][log.live]
        self.reward = float(ahead.std()) + 1e-6

    def states(self, states: NDArray[Any]) -> NDArray[np.float32]:
        """Return states [..., F] in units."""
        return np.asarray((states - self._mean) / self._scale, np.float32)

    def transitions(self, log: OfflineLog) -> Transitions:
        """Return the live steps of a log."""
        live = log.live.ravel()
        width = log.states.shape[-1]
        after = np.concatenate([log.states[:, 1:], np.zeros_like(log.states[:, :1])], axis=1).reshape(-1, width)
        goes_on = np.concatenate([log.live[:, 1:], np.zeros_like(log.live[:, :1])], axis=1).ravel()
        columns = (
            self.states(log.states.reshape(-1, width)), log.actions.ravel(), log.rewards.ravel() / self.reward,
            self.states(after), goes_on,
        )  # fmt: skip
        return Transitions(*(torch.from_numpy(np.ascontiguousarray(x[live], dtype=np.float32)) for x in columns))


class Learner:
    """Learns a policy from transitions in minibatches; subclasses add networks, ``update`` and ``means``.

    Args:
        log: The data.
        settings: Parameters.
        seeds: Source of networks and minibatches.

    Raises:
        NumericalError: If a loss is not finite; names learner and update.
    """

    name: ClassVar[str] = ""

    def __init__(self, log: OfflineLog, settings: OfflineSettings, *, seeds: SeedTree) -> None:
        self.settings = settings
        self.units = Units(log)
        self.data = self.units.transitions(log)
        self.width = log.states.shape[-1]
        self.start = torch.Generator().manual_seed(seeds.child("networks").integer())
        self.generator = torch.Generator().manual_seed(seeds.child("batches").integer())
        self._steps: dict[int, Any] = {}
        self.build()
        for k in range(settings.updates):
            self.update(k, self.batch(self.data, settings.batch))

    def build(self) -> None:
        """Make the networks."""
        raise NotImplementedError

    def update(self, k: int, batch: Transitions) -> None:
        """Take gradient step k."""
        raise NotImplementedError

    def means(self, state: Tensor) -> Tensor:
        """Return the actions [n] of states in units [n, F]; not cut to the range."""
        raise NotImplementedError

    def act(self, state: NDArray[np.float32]) -> float:
        """Return the action of a state float32 [F], within its range."""
        with torch.no_grad():
            return float(self.means(torch.from_numpy(self.units.states(state[None]))).clamp(LOWEST, HIGHEST)[0])

    def batch(self, data: Transitions, size: int) -> Transitions:
        """Draw rows with replacement."""
        return data.pick(torch.randint(0, len(data), (size,), generator=self.generator))

    def network(self, inputs: int, outputs: int = 1) -> Any:
        """Return a network of two hidden layers with an optimiser of its own."""
        layers: list[Any] = []
        h = self.settings.hidden
        for a, b in ((inputs, h), (h, h), (h, outputs)):
            layer = torch.nn.Linear(a, b)
            torch.nn.init.orthogonal_(layer.weight, 2.0**0.5 if len(layers) < 4 else 0.1, generator=self.start)
            torch.nn.init.zeros_(layer.bias)
            layers += [layer, torch.nn.ReLU()]
        net = torch.nn.Sequential(*layers[:-1])
        self._steps[id(net)] = torch.optim.Adam(net.parameters(), self.settings.rate)
        return net

    def copy(self, net: Any) -> Any:
        """Return a slow copy of a network."""
        slow = self.network(net[0].in_features, net[-1].out_features)
        slow.load_state_dict(net.state_dict())
        return slow

    def follow(self, pairs: list[tuple[Any, Any]]) -> None:
        """Move slow copies towards their networks: (network, copy)."""
        with torch.no_grad():
            for net, slow in pairs:
                for mine, theirs in zip(net.parameters(), slow.parameters(), strict=True):
                    theirs.lerp_(mine, self.settings.target_rate)

    def descend(self, nets: Any, loss: Tensor, k: int) -> None:
        """Take a gradient step of one network or several.

        Raises:
            NumericalError: If the loss is not finite.
        """
        if not bool(torch.isfinite(loss)):
            raise NumericalError("loss", float(loss.detach()), step=k, where=f"offline learner {self.name}")
        steps = [self._steps[id(net)] for net in (nets if isinstance(nets, list) else [nets])]
        for step in steps:
            step.zero_grad()
        loss.backward()
        for step in steps:
            step.step()

    def noise(self, *shape: int) -> Tensor:
        """Draw standard normal numbers."""
        return torch.randn(*shape, generator=self.generator)


def pair(state: Tensor, action: Tensor) -> Tensor:
    """Return states and actions side by side, [n, F + 1]."""
    return torch.cat([state, action[..., None]], -1)


def value(net: Any, *inputs: Tensor) -> Tensor:
    """Return a network's single output [n] for (state,) or (state, action)."""
    return net(pair(*inputs) if len(inputs) == 2 else inputs[0]).squeeze(-1)
