"""Networks over a player's infosets, and what both learning oracles do with them.

There are finitely many infosets, so a network is evaluated as a table: one pass over all of them before
episodes are played, none while they are played.

Axes: I infosets, A most actions of any infoset, D features, M samples, S_p own sequences.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

import numpy as np

from equilibria.agents.learning.heads import MASKED
from equilibria.agents.learning.networks import GAIN, Activation, orthogonal
from equilibria.agents.learning.torch_import import torch
from equilibria.agents.solvers.population.oracle import OracleRequest
from equilibria.agents.solvers.population.oracle_settings import LearnedOracleSettings
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.infoset_tensors import infoset_tensors
from equilibria.games.extensive.response import ResponseProblem
from equilibria.sim.contract import State
from equilibria.sim.errors import InvalidValue, Unsupported, UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import AnyArray, BoolArray, FloatArray

MAX_ONE_HOT = 1_000_000


class InfosetNetwork(torch.nn.Module):
    """A perceptron from infoset numbers to ``out`` numbers each.

    Args:
        features: float32 [I, D], or ``None`` for one-hot infosets (the first layer is then a table).
        infosets: I.
        hidden: Units of a hidden layer.
        layers: Hidden layers.
        out: Entries of an output.
        activation: Of hidden layers.
        out_gain: Gain of the last layer's orthogonal weights.
        generator: Source of the weights.
    """

    def __init__(
        self,
        features: torch.Tensor | None,
        infosets: int,
        *,
        hidden: int,
        layers: int,
        out: int,
        activation: Activation,
        out_gain: float,
        generator: torch.Generator,
    ) -> None:
        super().__init__()
        self._features, self._infosets = features, infosets
        self._activate = torch.tanh if activation == "tanh" else torch.relu
        gain = GAIN[activation]
        inputs = infosets if features is None else features.shape[1]
        widths = [inputs, *[hidden] * layers, out]
        gains = [gain] * layers + [out_gain]
        weights = [orthogonal(1, b, a, g, generator)[0] for a, b, g in zip(widths, widths[1:], gains, strict=False)]
        if features is None:  # unit-variance rows, as if each infoset were a well-scaled input
            weights[0] = torch.empty(hidden, infosets).normal_(0.0, 1.0, generator=generator)
        self.weights = torch.nn.ParameterList(torch.nn.Parameter(w.detach().clone()) for w in weights)
        self.biases = torch.nn.ParameterList(torch.nn.Parameter(torch.zeros(w.shape[0])) for w in weights)
        if features is None:
            self.weights[0] = torch.nn.Parameter(weights[0].t().contiguous().clone())

    def forward(self, infosets: torch.Tensor | None = None) -> torch.Tensor:
        """Return [M, out] for infosets int64 [M], or [I, out] for all of them."""
        if infosets is not None and self._infosets <= len(infosets):  # fewer rows, the same numbers
            every: torch.Tensor = self()
            return every.index_select(0, infosets)
        if self._features is None:
            table = self.weights[0]
            x: torch.Tensor = (table if infosets is None else table.index_select(0, infosets)) + self.biases[0]
        else:
            rows = self._features if infosets is None else self._features.index_select(0, infosets)
            x = torch.nn.functional.linear(rows, self.weights[0], self.biases[0])
        for weight, bias in zip(list(self.weights)[1:], list(self.biases)[1:], strict=True):
            x = torch.nn.functional.linear(self._activate(x), weight, bias)
        return x


class Features:
    """Features of the infosets of every player, made once per game."""

    def __init__(self, choice: str) -> None:
        self._choice = choice
        self._known: dict[tuple[str, int], torch.Tensor | None] = {}

    def of(self, game: ExtensiveGame, player: int) -> torch.Tensor | None:
        """Return float32 [I_p, D], or ``None`` for one-hot.

        Raises:
            UnsupportedGame: If tensors are asked of a game that has none.
            Unsupported: If one-hot features would be too large.
        """
        key = (game.content_hash, player)
        if key not in self._known:
            self._known[key] = self._made(game, player)
        return self._known[key]

    def _made(self, game: ExtensiveGame, player: int) -> torch.Tensor | None:
        count = int(game.arrays.iset_off[player + 1] - game.arrays.iset_off[player])
        if self._choice != "one_hot":
            try:
                return torch.from_numpy(infoset_tensors(game, player))
            except UnsupportedGame:
                if self._choice == "tensor":
                    raise
        if count > MAX_ONE_HOT:
            raise Unsupported(
                f"player {player} of {game.name!r} has {count} infosets, too many for one-hot features "
                f"(limit {MAX_ONE_HOT}); use a game with information-state tensors"
            )
        return None


class ActionTable:
    """Places of the actions of all infosets in tables [I, A] and in strategies [S_p]."""

    def __init__(self, problem: ResponseProblem) -> None:
        self.width = int(problem.actions.max())
        column = np.arange(self.width)
        self.legal: BoolArray = column < problem.actions[:, None]
        self._sequence = (problem.first[:, None] + column)[self.legal]
        self._size = len(problem.mass)
        self.mask = torch.from_numpy(self.legal)

    def strategy(self, table: AnyArray) -> FloatArray:
        """Return the strategy [S_p] of probabilities [I, A]; rows are normalised over the legal actions."""
        weights = np.where(self.legal, np.asarray(table, np.float64), 0.0)
        weights /= weights.sum(axis=1, keepdims=True)
        strategy = np.ones(self._size)
        strategy[self._sequence] = weights[self.legal]
        return strategy

    def greedy(self, scores: AnyArray, epsilon: float = 0.0) -> FloatArray:
        """Return the strategy [S_p] that plays the highest score [I, A] except with probability ``epsilon``."""
        best = np.argmax(np.where(self.legal, scores, -np.inf), axis=1)
        table = np.where(self.legal, epsilon / self.legal.sum(axis=1, keepdims=True), 0.0)
        table[np.arange(len(best)), best] += 1.0 - epsilon
        return self.strategy(table)

    def unvisited_uniform(self, strategy: FloatArray, visited: BoolArray) -> FloatArray:
        """Return the strategy made uniform at infosets that training never met."""
        out = strategy.copy()
        uniform = self.strategy(self.legal.astype(np.float64))
        rows = np.repeat(~visited, self.legal.sum(axis=1))
        out[self._sequence[rows]] = uniform[self._sequence[rows]]
        return out

    def masked(self, scores: torch.Tensor, infosets: torch.Tensor | None = None) -> torch.Tensor:
        """Return scores with -1e10 in place of illegal actions."""
        mask = self.mask if infosets is None else self.mask.index_select(0, infosets)
        return torch.where(mask, scores, MASKED)


class LearnedOracle:
    """Base of learning oracles: problem, features, memory of networks for warm starts, plan of the answer."""

    exact = False
    name = "learned"

    def __init__(self, settings: LearnedOracleSettings) -> None:
        self.settings = settings
        self._features = Features(settings.features)
        self._kept: dict[str, list[AnyArray]] = {}

    def respond(self, request: OracleRequest) -> FloatArray:
        """Return the plan [S_p] of a trained response."""
        from equilibria.agents.learning.tensors import one_thread

        lanes: int = self.settings.lanes  # type: ignore[attr-defined]
        world = ResponseProblem(
            request.game, request.player, request.x, key=int(request.seeds.child("episodes").key()), lanes=lanes
        )
        if not world.decides:
            return world.plan(world.uniform())
        features = self._features.of(request.game, request.player)
        with one_thread():
            strategy, visited, weights = self._train(world, features, request.seeds, self._start(request))
        if features is None:
            strategy = ActionTable(world).unvisited_uniform(strategy, visited)
        plan = world.plan(strategy)
        if self.settings.warm_start:
            self._kept[_digest(request.player, plan)] = weights
        return plan

    def save(self) -> State:
        """Return the networks kept for warm starts."""
        return State(
            {f"{digest}/{i}": array for digest, arrays in self._kept.items() for i, array in enumerate(arrays)}
        )

    def load(self, state: State) -> None:
        """Restore what ``save`` returned."""
        found: dict[str, dict[int, AnyArray]] = {}
        for path, array in state.arrays.items():
            digest, _, index = path.partition("/")
            found.setdefault(digest, {})[int(index)] = np.array(array)
        self._kept = {digest: [arrays[i] for i in sorted(arrays)] for digest, arrays in found.items()}

    def _start(self, request: OracleRequest) -> list[AnyArray] | None:
        if not self.settings.warm_start:
            return None
        plan = request.meta.plans(request.player)[request.start]
        return self._kept.get(_digest(request.player, plan))

    def _train(
        self, problem: ResponseProblem, features: torch.Tensor | None, seeds: SeedTree, start: list[AnyArray] | None
    ) -> tuple[FloatArray, BoolArray, list[AnyArray]]:
        """Return the strategy [S_p], which infosets were visited [I], and the weights."""
        raise NotImplementedError


def generator(seeds: SeedTree, name: str) -> torch.Generator:
    """Return a torch generator for a named purpose."""
    made: torch.Generator = torch.Generator().manual_seed(int(seeds.child(name).key()) >> 1)
    return made


def weights_of(modules: Sequence[torch.nn.Module]) -> list[AnyArray]:
    """Return copies of all parameters."""
    return [p.detach().numpy().copy() for module in modules for p in module.parameters()]


def set_weights(modules: Sequence[torch.nn.Module], weights: list[AnyArray] | None) -> None:
    """Copy weights made by ``weights_of`` into modules of the same shapes; ``None`` changes nothing."""
    if weights is None:
        return
    own = [p for module in modules for p in module.parameters()]
    if [tuple(p.shape) for p in own] != [w.shape for w in weights]:
        raise InvalidValue("the saved networks of the oracle have other shapes than its settings say")
    with torch.no_grad():
        for p, w in zip(own, weights, strict=True):
            p.copy_(torch.from_numpy(np.array(w)))


def table_of(network: Callable[[], torch.Tensor]) -> AnyArray:
    """Return a network's outputs for all infosets."""
    with torch.inference_mode():
        values: AnyArray = network().numpy()
    return values


def _digest(player: int, plan: FloatArray) -> str:
    return hashlib.sha256(bytes([player % 256]) + np.ascontiguousarray(plan).tobytes()).hexdigest()[:24]
