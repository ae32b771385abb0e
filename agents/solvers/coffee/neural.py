"""An ensemble of networks for what the data do not show: successors, payoffs and their uncertainty.

Inputs are the world state's text as (position, word) indicators with the vocabulary of the data, the action and
the player; nothing but the data is read.  Heads: mean and log variance of the successor's features, payoffs at
the end of the episode, whether the successor is final, and which actions are legal there.  Each member trains on
its own bootstrap of the episodes with Adam, and stops early on a tenth of them that it does not train on.

Uncertainty of (state, action): largest distance of a member's predicted (successor features, payoffs) from the
mean of the members, over its 95th percentile on the data, at most 5.  Networks generalise: an action that was never
tried is as uncertain as the members' disagreement says, not maximally so.

Sizes and training as in our specification of COffeE-PSRO: 2 x 128 ReLU, Adam 1e-3, 200 epochs.  The features, and
payoffs at the end instead of rewards per step, are our design.  Cost: about 3 s per member and 2000 episodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np

from equilibria.agents.learning.tensors import one_thread
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.solvers.coffee.data import OfflineData
from equilibria.agents.solvers.coffee.settings import NetworkSettings
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

_WORD = re.compile(r"\w+")
_PATIENCE = 10
_HELD_OUT = 0.1
_LOG_VARIANCE = (-6.0, 4.0)
LARGEST = 5.0


@dataclass(frozen=True, slots=True)
class _Layout:
    """How texts and actions become numbers."""

    words: dict[tuple[int, str], int]
    actions: dict[int, int]
    players: int

    def state(self, text: str) -> FloatArray:
        out = np.zeros(len(self.words))
        for position, word in enumerate(_WORD.findall(text)):
            place = self.words.get((position, word))
            if place is not None:
                out[place] = 1.0
        return out

    def input(self, text: str, action: int, player: int) -> FloatArray:
        tail = np.zeros(len(self.actions) + self.players)
        if action in self.actions:
            tail[self.actions[action]] = 1.0
        tail[len(self.actions) + player] = 1.0
        return np.concatenate([self.state(text), tail])


@dataclass(frozen=True, slots=True)
class _Examples:
    """Decision steps of the data: inputs [R, I], targets [R, F + n + 1 + A], episode [R]."""

    x: FloatArray
    y: FloatArray
    episode: IntArray


class NeuralEnsemble:
    """Networks trained on a data set.

    Args:
        data: The data set.
        members: Number of networks, >= 2.
        settings: Sizes and training.
        seeds: Seed tree of weights, bootstraps and batches.
    """

    def __init__(self, data: OfflineData, members: int, settings: NetworkSettings, seeds: SeedTree) -> None:
        self._layout = _layout(data)
        self._players = data.players
        examples = _examples(data, self._layout)
        self.held_out_loss: list[float] = []
        with one_thread():
            self._networks = [self._fit(examples, data, settings, seeds.child("network", m)) for m in range(members)]
        distances = self._distances(examples.x)
        self._scale = max(float(np.quantile(distances, 0.95)), 1e-6)
        self._low, self._high = data.rewards.min(axis=0), data.rewards.max(axis=0)

    def doubt(self, state: str, action: int, player: int) -> float:
        """Return the uncertainty of an action at a state, in [0, 5]."""
        x = self._layout.input(state, action, player)[None]
        return float(min(self._distances(x)[0] / self._scale, LARGEST))

    def payoffs(self, state: str, action: int, player: int) -> FloatArray:
        """Return predicted payoffs [M, n], within the range that the data show."""
        x = self._layout.input(state, action, player)[None]
        start = len(self._layout.words)
        found = self._predict(x)[:, 0, start : start + self._players]
        return np.asarray(np.clip(found, self._low, self._high))

    def _predict(self, x: FloatArray) -> FloatArray:
        """Return outputs [M, R, O]."""
        with torch.no_grad(), one_thread():
            batch = torch.as_tensor(x, dtype=torch.float32)
            return np.stack([np.asarray(net(batch).numpy(), dtype=np.float64) for net in self._networks])

    def _distances(self, x: FloatArray) -> FloatArray:
        """Return the largest distance [R] of a member's (successor features, payoffs) from their mean."""
        out = self._predict(x)[:, :, : len(self._layout.words) + self._players]
        return np.asarray(np.linalg.norm(out - out.mean(axis=0), axis=2).max(axis=0))

    def _fit(
        self, examples: _Examples, data: OfflineData, settings: NetworkSettings, seeds: SeedTree
    ) -> torch.nn.Sequential:
        rng = seeds.generator()
        features, heads = len(self._layout.words), examples.y.shape[1] + len(self._layout.words)
        network = _network(examples.x.shape[1], settings.hidden, heads, rng)
        drawn = rng.multinomial(round(data.weights.sum()), data.weights / data.weights.sum())
        # an episode is either trained on or held out, however often it was drawn
        held = rng.random(len(drawn)) < _HELD_OUT
        weight = drawn[examples.episode].astype(np.float64)
        train, test = (np.flatnonzero((weight > 0) & (held[examples.episode] == side)) for side in (False, True))
        if not len(train) or not len(test):
            train = test = np.flatnonzero(weight > 0)
        tensors = [torch.as_tensor(a, dtype=torch.float32) for a in (examples.x, examples.y, weight)]
        optimiser = torch.optim.Adam(network.parameters(), lr=settings.rate)
        best, waited = np.inf, 0
        kept = [p.detach().clone() for p in network.parameters()]
        for _ in range(settings.epochs):
            order = rng.permutation(train)
            for start in range(0, len(order), settings.batch):
                x, y, w = (t[order[start : start + settings.batch]] for t in tensors)
                optimiser.zero_grad()
                loss = _loss(network(x), y, w, features, self._players)
                loss.backward()
                optimiser.step()
            with torch.no_grad():
                x, y, w = (t[test] for t in tensors)
                now = float(_loss(network(x), y, w, features, self._players))
            if now < best - 1e-6:
                best, waited = now, 0
                kept = [p.detach().clone() for p in network.parameters()]
            else:
                waited += 1
                if waited >= _PATIENCE:
                    break
        with torch.no_grad():
            for parameter, value in zip(network.parameters(), kept, strict=True):
                parameter.copy_(value)
        self.held_out_loss.append(best)
        return network


def _layout(data: OfflineData) -> _Layout:
    words: dict[tuple[int, str], int] = {}
    texts = dict.fromkeys([*data.steps["state"].to_list(), *data.steps["successor"].to_list()])
    for text in texts:
        for position, word in enumerate(_WORD.findall(text)):
            words.setdefault((position, word), len(words))
    legal = sorted({int(a) for row in data.steps["legal"].to_list() for a in row})
    return _Layout(words, {a: i for i, a in enumerate(legal)}, data.players)


def _examples(data: OfflineData, layout: _Layout) -> _Examples:
    """Return the decision steps; targets are successor features, payoffs, final or not, legal actions there."""
    columns = ("episode", "player", "state", "legal", "action", "successor")
    rows = list(zip(*(data.steps[c].to_list() for c in columns), strict=True))
    known = {text: legal for _, player, text, legal, _, _ in rows if player >= 0}
    going_on = {text for _, _, text, _, _, _ in rows}
    x, y, episodes = [], [], []
    for episode, player, text, _, action, successor in rows:
        if player < 0:
            continue
        mask = np.zeros(len(layout.actions))
        mask[[layout.actions[int(a)] for a in known.get(successor, [])]] = 1.0
        x.append(layout.input(text, action, player))
        y.append(
            np.concatenate([layout.state(successor), data.rewards[episode], [float(successor not in going_on)], mask])
        )
        episodes.append(episode)
    return _Examples(np.array(x), np.array(y), np.array(episodes, np.int64))


def _network(inputs: int, hidden: int, outputs: int, rng: np.random.Generator) -> torch.nn.Sequential:
    layers: list[torch.nn.Module] = []
    sizes = (inputs, hidden, hidden, outputs)
    for i in range(3):
        layer = torch.nn.utils.skip_init(torch.nn.Linear, sizes[i], sizes[i + 1])
        with torch.no_grad():
            draw = rng.standard_normal((sizes[i + 1], sizes[i])) * np.sqrt(2.0 / sizes[i])
            layer.weight.copy_(torch.as_tensor(draw * (1.0 if i < 2 else 0.1), dtype=torch.float32))
            layer.bias.zero_()
        layers += [layer, torch.nn.ReLU()] if i < 2 else [layer]
    return torch.nn.Sequential(*layers)


def _loss(out: torch.Tensor, target: torch.Tensor, weight: torch.Tensor, features: int, players: int) -> torch.Tensor:
    """Return the mean negative log-likelihood per row; ``out`` is target-shaped with the log variances last."""
    mean, log_variance = out[:, :features], out[:, -features:].clamp(*_LOG_VARIANCE)
    normal = 0.5 * (log_variance + (target[:, :features] - mean) ** 2 * torch.exp(-log_variance)).sum(dim=1)
    payoffs = ((out[:, features : features + players] - target[:, features : features + players]) ** 2).sum(dim=1)
    logits, labels = out[:, features + players : -features], target[:, features + players :]
    binary = torch.nn.functional.binary_cross_entropy_with_logits(logits, labels, reduction="none").sum(dim=1)
    return ((normal + payoffs + binary) * weight).sum() / weight.sum()
