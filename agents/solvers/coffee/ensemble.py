"""An ensemble of tabular models learned from offline data, as sequence-form games on one skeleton.

The skeleton is the tree of all observed histories; every legal action that was never observed, and a small
share of every observed one, leads to an *unknown* leaf.  Member m resamples the episodes (bootstrap) and
gives each successor the Dirichlet mean (count + prior) / (total + prior (successors + 1)), the rest to the
unknown leaf, whose payoffs it draws uniformly from the observed range (constant-sum if the data are).
Members therefore agree where data abound and disagree elsewhere.

Uncertainty of a step: largest distance of a member's successor distribution from the mean one, over
its 95th percentile in the data (at least 0.05), at most 5; 5 for actions never observed.  The floor keeps
negligible disagreement of plentiful data from being blown up to 1.

With ``model: neural`` the payoffs of unknown leaves and the uncertainty of actions come from networks (``neural``);
successors of observed actions and chance stay tabular, because deterministic successors are known once seen.

All of this is our design; the paper trains networks on features.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from equilibria.agents.solvers.coffee.data import OfflineData
from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.builder import GameBuilder
from equilibria.sim.errors import InvalidValue
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

if TYPE_CHECKING:
    from equilibria.agents.solvers.coffee.neural import NeuralEnsemble

UNKNOWN_UNCERTAINTY = 5.0
DISTANCE_FLOOR = 0.05


@dataclass(frozen=True, slots=True)
class _Node:
    player: int
    infostate: str
    legal: tuple[int, ...]
    edges: dict[int, int]  # action -> edge number
    successors: dict[int, str]


@dataclass(slots=True)
class _Leaves:
    """Leaves of the skeleton; axes: L leaves, M members, n players."""

    sequences: list[tuple[int, ...]] = field(default_factory=list)
    weight: list[FloatArray] = field(default_factory=list)  # [M] probability of chance and known successors
    utility: list[FloatArray] = field(default_factory=list)  # [M, n]
    uncertainty: list[float] = field(default_factory=list)  # sum over the path


@dataclass(frozen=True, slots=True)
class Decision:
    """A decision of the skeleton, for coverage reports.

    Attributes:
        player: Who acts.
        sequences: Local sequences of all players that lead there.
        observed: Share of the legal actions that occur in the data.
    """

    player: int
    sequences: tuple[int, ...]
    observed: float


@dataclass(frozen=True, slots=True)
class Ensemble:
    """The learned models.

    Attributes:
        games: One game per member, all with the same sequences.
        mean: Mean of the members' payoffs at every leaf.
        uncertainty: Game whose payoff, for every player, is the expected sum of step uncertainties.
        decisions: Decisions of the skeleton.
        reward_range: Largest payoff magnitude in the data.
        horizon: Longest episode in steps.
    """

    games: tuple[ExtensiveGame, ...]
    mean: ExtensiveGame
    uncertainty: ExtensiveGame
    decisions: tuple[Decision, ...]
    reward_range: float
    horizon: int
    leaves: _Leaves = field(repr=False)
    infosets: tuple[tuple[int, str, tuple[int, ...], int], ...] = field(repr=False)

    def penalised(self, penalty: float) -> ExtensiveGame:
        """Return the mean game with ``penalty`` per unit of step uncertainty taken from every player's payoff."""
        weight, utility = np.array(self.leaves.weight), np.array(self.leaves.utility)
        mean = (weight[:, :, None] * utility).mean(axis=1)
        loss = penalty * weight.mean(axis=1) * np.array(self.leaves.uncertainty)
        return _game("penalised", self.infosets, self.leaves.sequences, mean - loss[:, None])


def learn(data: OfflineData, settings: CoffeeSettings, seeds: SeedTree) -> Ensemble:
    """Learn the ensemble; reads nothing but ``data``.

    Raises:
        InvalidValue: If a state has two successors for one action (not a tree of histories) or
            episodes do not start in one state.
    """
    nodes, edge_of_row = _nodes(data)
    counts = _bootstrap(data, edge_of_row, settings.members, seeds)
    networks = None
    if settings.model == "neural":
        from equilibria.agents.solvers.coffee.neural import NeuralEnsemble

        networks = NeuralEnsemble(data, settings.members, settings.network, seeds)
    builder = _Skeleton(data, nodes, counts, settings, seeds, networks)
    builder.walk()
    leaves = builder.leaves
    weight, utility = np.array(leaves.weight), np.array(leaves.utility)
    weighted = weight[:, :, None] * utility
    infosets = tuple(builder.infosets)
    games = tuple(_game(f"member {m}", infosets, leaves.sequences, weighted[:, m]) for m in range(settings.members))
    doubt = np.repeat((weight.mean(axis=1) * np.array(leaves.uncertainty))[:, None], data.players, axis=1)
    return Ensemble(
        games=games,
        mean=_game("mean model", infosets, leaves.sequences, weighted.mean(axis=1)),
        uncertainty=_game("uncertainty", infosets, leaves.sequences, doubt),
        decisions=tuple(builder.decisions),
        reward_range=float(max(np.abs(data.rewards).max(), 1e-12)),
        horizon=int(data.steps["step"].max()) + 1,  # type: ignore[arg-type]
        leaves=leaves,
        infosets=infosets,
    )


def _nodes(data: OfflineData) -> tuple[dict[str, _Node], IntArray]:
    """Return the observed states and the edge number of every row."""
    nodes: dict[str, _Node] = {}
    edge_of_row = np.zeros(data.steps.height, np.int64)
    edges = 0
    columns = [data.steps[c].to_list() for c in ("player", "state", "infostate", "legal", "action", "successor")]
    for row, (player, state, infostate, legal, action, successor) in enumerate(zip(*columns, strict=True)):
        node = nodes.get(state)
        if node is None:
            node = nodes[state] = _Node(player, infostate, tuple(legal), {}, {})
        if action not in node.edges:
            node.edges[action], node.successors[action] = edges, successor
            edges += 1
        elif node.successors[action] != successor:
            raise InvalidValue(
                f"data set {data.name!r}: action {action} in state {state!r} leads to {node.successors[action]!r} and to "
                f"{successor!r}; randomness must be written down as chance steps (player -1)"
            )
        edge_of_row[row] = node.edges[action]
    return nodes, edge_of_row


def _bootstrap(data: OfflineData, edge_of_row: IntArray, members: int, seeds: SeedTree) -> FloatArray:
    """Return [M, edges] counts of each member's resample of the episodes."""
    episode = data.steps["episode"].to_numpy()
    total = data.weights.sum()
    counts = []
    for m in range(members):
        rng = seeds.child("bootstrap", m).generator()
        drawn = rng.multinomial(round(total), data.weights / total)
        counts.append(np.bincount(edge_of_row, weights=drawn[episode]))
    return np.array(counts)


class _Skeleton:
    """Depth-first walk over the observed tree."""

    def __init__(
        self,
        data: OfflineData,
        nodes: dict[str, _Node],
        counts: FloatArray,
        settings: CoffeeSettings,
        seeds: SeedTree,
        networks: NeuralEnsemble | None = None,
    ) -> None:
        self._networks = networks
        self.players, self.members = data.players, settings.members
        self.leaves, self.decisions = _Leaves(), list[Decision]()
        self.infosets: list[tuple[int, str, tuple[int, ...], int]] = []
        self._nodes, self._counts, self._prior = nodes, counts, settings.prior
        self._first: dict[tuple[int, str], int] = {}
        self._sizes = [1] * data.players
        self._rngs = [seeds.child("unknown payoffs", m).generator() for m in range(settings.members)]
        self._low, self._high = data.rewards.min(axis=0), data.rewards.max(axis=0)
        sums = data.rewards.sum(axis=1)
        self._constant = float(sums[0]) if np.ptp(sums) < 1e-9 else None
        self._ends = _ends(data)
        self._root = str(data.steps.filter(pl.col("step") == 0)["state"][0])
        self._scale = self._distance_scale()

    def walk(self) -> None:
        """Fill leaves, infosets and decisions."""
        self._visit(self._root, tuple([0] * self.players), np.ones(self.members), 0.0)

    def _shares(self, node: _Node) -> FloatArray:
        """Return [M, edges + 1] successor probabilities of a chance node, the unknown one last."""
        counts = self._counts[:, list(node.edges.values())]
        total = counts.sum(axis=1, keepdims=True) + self._prior * (counts.shape[1] + 1)
        known = (counts + self._prior) / total
        return np.hstack([known, self._prior / total])

    def _known(self, edge: int) -> FloatArray:
        """Return [M] probability that an observed action leads to its observed successor."""
        count = self._counts[:, edge]
        return np.asarray((count + self._prior) / (count + 2 * self._prior))

    def _distance(self, node: _Node, action: int | None) -> float:
        """Return the largest distance of a member's successor distribution from the mean one."""
        if action is None:
            shares = self._shares(node)
            return float(np.linalg.norm(shares - shares.mean(axis=0), axis=1).max())
        known = self._known(node.edges[action])
        return float(np.sqrt(2) * np.abs(known - known.mean()).max())

    def _distance_scale(self) -> float:
        distances, visits = [], []
        for node in self._nodes.values():
            for action in [None] if node.player < 0 else list(node.edges):
                distances.append(self._distance(node, action))
                edges = list(node.edges.values()) if action is None else [node.edges[action]]
                visits.append(self._counts[:, edges].sum())
        order = np.argsort(distances)
        share = np.cumsum(np.array(visits)[order])
        place = int(np.searchsorted(share, 0.95 * share[-1]))
        return max(float(np.array(distances)[order][min(place, len(order) - 1)]), DISTANCE_FLOOR)

    def _doubt(self, node: _Node, action: int | None) -> float:
        return min(self._distance(node, action) / self._scale, UNKNOWN_UNCERTAINTY)

    def _visit(self, state: str, sequences: tuple[int, ...], weight: FloatArray, doubt: float) -> None:
        node = self._nodes.get(state)
        if node is None:
            payoff = np.broadcast_to(self._ends[state], (self.members, self.players))
            self._leaf(sequences, weight, payoff, doubt)
        elif node.player < 0:
            shares, more = self._shares(node), self._doubt(node, None)
            for column, successor in enumerate(node.successors.values()):
                self._visit(successor, sequences, weight * shares[:, column], doubt + more)
            self._leaf(sequences, weight * shares[:, -1], self._unknown(), doubt + more)
        else:
            self._decide(state, node, sequences, weight, doubt)

    def _decide(self, state: str, node: _Node, sequences: tuple[int, ...], weight: FloatArray, doubt: float) -> None:
        p = node.player
        first = self._announce(node, sequences[p])
        self.decisions.append(Decision(p, sequences, len(node.edges) / len(node.legal)))
        for place, action in enumerate(node.legal):
            after = (*sequences[:p], first + place, *sequences[p + 1 :])
            if action not in node.edges:
                more = UNKNOWN_UNCERTAINTY
                if self._networks is not None:
                    more = self._networks.doubt(state, action, p)
                self._leaf(after, weight, self._unknown(state, action, p), doubt + more)
                continue
            known, more = self._known(node.edges[action]), self._doubt(node, action)
            if self._networks is not None:
                more = self._networks.doubt(state, action, p)
            self._visit(node.successors[action], after, weight * known, doubt + more)
            self._leaf(after, weight * (1 - known), self._unknown(state, action, p), doubt + more)

    def _announce(self, node: _Node, parent: int) -> int:
        key = (node.player, node.infostate)
        if key not in self._first:
            self._first[key] = self._sizes[node.player]
            self._sizes[node.player] += len(node.legal)
            self.infosets.append((node.player, node.infostate, node.legal, parent))
        return self._first[key]

    def _unknown(self, state: str = "", action: int = -1, player: int = -1) -> FloatArray:
        """Return payoffs [M, n] of an unknown leaf; ``player`` -1 stands for chance."""
        if self._networks is not None and player >= 0:
            draws = self._networks.payoffs(state, action, player)
        else:
            draws = np.array([rng.uniform(self._low, self._high) for rng in self._rngs])
        if self._constant is not None:
            draws += (self._constant - draws.sum(axis=1, keepdims=True)) / self.players
        return draws

    def _leaf(self, sequences: tuple[int, ...], weight: FloatArray, payoff: FloatArray, doubt: float) -> None:
        self.leaves.sequences.append(sequences)
        self.leaves.weight.append(weight)
        self.leaves.utility.append(np.array(payoff))
        self.leaves.uncertainty.append(doubt)


def _ends(data: OfflineData) -> dict[str, FloatArray]:
    """Return the mean payoffs [n] of every final state."""
    last = data.steps.group_by("episode", maintain_order=True).agg(pl.col("successor").last())
    episodes = last["episode"].to_numpy()
    total: dict[str, FloatArray] = {}
    mass: dict[str, float] = {}
    for state, reward, weight in zip(
        last["successor"].to_list(), data.rewards[episodes], data.weights[episodes], strict=True
    ):
        total[state] = total.get(state, np.zeros(data.players)) + weight * reward
        mass[state] = mass.get(state, 0.0) + float(weight)
    return {state: value / mass[state] for state, value in total.items()}


def _game(
    name: str,
    infosets: tuple[tuple[int, str, tuple[int, ...], int], ...],
    sequences: list[tuple[int, ...]],
    weighted: FloatArray,
) -> ExtensiveGame:
    """Build a game from leaves with chance already multiplied into the payoffs [L, n]."""
    builder = GameBuilder(weighted.shape[1], name=name)
    for player, infostate, legal, parent in infosets:
        builder.add_infoset(player, infostate, legal, parent)
    for place, payoff in zip(sequences, weighted.tolist(), strict=True):
        builder.add_terminal(place, payoff)
    return builder.build()
