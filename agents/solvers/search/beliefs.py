"""Beliefs over the histories of an infoset, exact or by rejection.

Axes: H histories, I infosets.  By perfect recall the own moves cancel, so the belief at an infoset depends on
chance and the others only and is defined wherever they can lead, even off the own path of play.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np

from equilibria.agents.solvers.search import kernels
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.histories import histories_of
from equilibria.games.extensive.history import HistoryGame
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray, UIntArray

BeliefModel: TypeAlias = Callable[[int, str, int], IntArray]
"""A learned or hand-made belief: (player, infostate, particles) -> history numbers [particles]."""


@dataclass(frozen=True)
class SearchTree:
    """The histories of a game, grouped by infoset."""

    game: ExtensiveGame

    @cached_property
    def histories(self) -> HistoryGame:
        """History-level arrays of the game."""
        return histories_of(self.game)

    @cached_property
    def _groups(self) -> tuple[IntArray, UIntArray]:
        deciding = np.flatnonzero(self.histories.infoset >= 0)
        infosets = self.histories.infoset[deciding]
        order = np.argsort(infosets, kind="stable")
        start = np.searchsorted(infosets[order], np.arange(self.game.arrays.infosets + 1)).astype(np.int64)
        return start, deciding[order].astype(np.uint32)

    @property
    def start(self) -> IntArray:
        """[I+1] first entry of each infoset in ``members``."""
        return self._groups[0]

    @property
    def members(self) -> UIntArray:
        """Decision histories, infoset by infoset."""
        return self._groups[1]

    @cached_property
    def owner(self) -> IntArray:
        """[I] who moves at each infoset."""
        numbers = np.arange(self.game.arrays.infosets)
        return np.asarray(np.searchsorted(self.game.arrays.iset_off, numbers, side="right") - 1, dtype=np.int64)

    def weights(self, probs: FloatArray) -> FloatArray:
        """Return [H] the unnormalised belief: reach of chance and the others at each decision history."""
        h = self.histories
        full, out = np.empty((h.players + 1, h.nodes)), np.empty(h.nodes)
        kernels.others_reach(h.parent, h.edge, h.chance, h.player, h.infoset, probs, full, out)
        return out

    def belief(self, infoset: int, probs: FloatArray) -> tuple[UIntArray, FloatArray]:
        """Return the histories of an infoset and their probabilities given that it is reached.

        Returns:
            (histories [m], probabilities [m]); all probabilities are 0 if the others never lead there.
        """
        own = self.members[int(self.start[infoset]) : int(self.start[infoset + 1])]
        weights = self.weights(probs)[own]
        total = float(weights.sum())
        return own, weights / total if total > 0.0 else weights

    def rejection(
        self, infoset: int, probs: FloatArray, particles: int, rng: np.random.Generator, *, max_tries: int
    ) -> UIntArray:
        """Play whole games until ``particles`` of them pass through the infoset or ``max_tries`` are used.

        Returns:
            Histories [m], m <= particles; empty if none of the games got there.
        """
        h = self.histories
        found: list[int] = []
        key = np.uint64(rng.integers(0, 2**63))
        for attempt in range(max_tries):
            end, _ = kernels.rollout(
                np.uint32(0), h.child, h.sibling, h.chance, h.player, h.edge, probs, key, attempt, infoset, 0
            )
            node = int(end)
            while node and h.infoset[node] != infoset:
                node = int(h.parent[node])
            if h.infoset[node] == infoset:
                found.append(node)
                if len(found) == particles:
                    break
        return np.array(found, dtype=np.uint32)

    def check_particles(self, infoset: int, particles: IntArray) -> UIntArray:
        """Return particles of a belief model as history numbers.

        Raises:
            InvalidValue: If one of them is not a history of the infoset.
        """
        array = np.asarray(particles, dtype=np.int64).ravel()
        own = self.members[int(self.start[infoset]) : int(self.start[infoset + 1])].astype(np.int64)
        foreign = array[~np.isin(array, own)]
        if foreign.size:
            raise InvalidValue(
                f"belief gave history {int(foreign[0])}, not one of infoset {self.game.infostates[infoset]!r}"
            )
        return array.astype(np.uint32)
