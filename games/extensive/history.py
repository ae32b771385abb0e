"""Games as arrays over histories: for imperfect recall, sampling solvers and exact beliefs.

Axes: n players, H histories, S action slots ("sequences"), I infosets.

Histories stand in depth-first preorder: a parent precedes its children and a subtree is one range.
The links ``child`` and ``sibling`` visit children in action order (outcome order after chance).  An action slot is one (infoset,
action) pair; slots are numbered like the sequences of ``GameArrays`` (slot ``seq_off[p]`` of each
player is unused here), so policies fit both.

Cost: 17 + 8n bytes per history plus 8 bytes per history for the child index.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from equilibria.games.extensive.convert import Infosets, Terminals
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, Int32Array, IntArray, UIntArray

CHANCE = -1
TERMINAL = -4
NO_HISTORY = 2**32 - 1


@dataclass(frozen=True, slots=True)
class HistoryGame:
    """A finite game tree, perfect or imperfect recall; all arrays are read-only.

    Attributes:
        name: What the game was made from.
        players: Number n of players.
        parent: [H] parent history, ``NO_HISTORY`` for the root.
        edge: [H] action slot that leads here; -1 after a chance move and at the root.
        chance: [H] product of the chance probabilities on the path.
        player: [H] who moves: 0..n-1, ``CHANCE`` or ``TERMINAL``.
        infoset: [H] global infoset, -1 where nobody decides.
        utility: [n, H] payoffs, zero except at terminals.
        child: [H] first child (histories without children: ``NO_HISTORY``).
        sibling: [H] next sibling, ``NO_HISTORY`` for the last one.
        seq_off: [n+1] first slot of each player.
        iset_off: [n+1] first infoset of each player.
        first: [I] first action slot.
        nact: [I] number of actions.
        infostates: [I] information state strings.
        actions: [I] the game's action ids.
    """

    name: str
    players: int
    parent: UIntArray
    edge: Int32Array
    chance: FloatArray
    player: Int32Array
    infoset: Int32Array
    utility: FloatArray
    child: UIntArray
    sibling: UIntArray
    seq_off: UIntArray
    iset_off: UIntArray
    first: UIntArray
    nact: UIntArray
    infostates: tuple[str, ...] = field(repr=False)
    actions: tuple[tuple[int, ...], ...] = field(repr=False)

    @property
    def nodes(self) -> int:
        """Number H of histories."""
        return int(self.parent.shape[0])

    @property
    def sequences(self) -> int:
        """Number S of slots, the unused one of each player included."""
        return int(self.seq_off[-1])

    @property
    def infosets(self) -> int:
        """Number I of infosets."""
        return int(self.iset_off[-1])

    @property
    def utility_range(self) -> float:
        """Largest minus smallest terminal utility of any player."""
        ends = self.utility[:, self.player == TERMINAL]
        return float(ends.max() - ends.min())


class HistoryRecorder:
    """Collect histories in preorder; ``add`` is called once per history, parents first."""

    def __init__(self, players: int) -> None:
        self.players = players
        self.parent, self.edge = array("q"), array("q")
        self.player, self.chance = array("i"), array("d")

    def add(self, parent: int, edge: int, player: int, chance: float, state: Any = None) -> None:
        """Append a history.

        Args:
            parent: Number of the parent history, -1 for the root.
            edge: Local sequence of the parent's mover that leads here, -1 after chance.
            player: Who moves here.
            chance: Product of chance probabilities on the path.
            state: Not used; lets the OpenSpiel walk hand over its state.
        """
        self.parent.append(parent)
        self.edge.append(edge)
        self.player.append(player)
        self.chance.append(chance)

    def build(self, name: str, infosets: Infosets, terminals: Terminals) -> HistoryGame:
        """Return the finished arrays.

        Args:
            name: Name of the game.
            infosets: The tree's infosets, sequence numbers local to the owner.
            terminals: Utilities of the terminal histories in order of appearance.
        """
        n = self.players
        parent = np.frombuffer(self.parent, dtype=np.int64)
        local = np.frombuffer(self.edge, dtype=np.int64)
        player = np.frombuffer(self.player, dtype=np.int32)
        utility = np.zeros((n, len(parent)))
        ends = np.frombuffer(terminals.utilities, dtype=np.float64).reshape(-1, n)
        if not bool(np.isfinite(ends).all()):
            raise InvalidValue(f"game {name!r} has a terminal utility that is not finite")
        utility[:, player == TERMINAL] = ends.T
        order = sorted(range(len(infosets.owner)), key=infosets.owner.__getitem__)
        owner = np.array(infosets.owner, dtype=np.int64)[order]
        seq_off = np.concatenate(([0], np.cumsum(np.array(infosets.sequences, dtype=np.int64))))
        first = np.array(infosets.first, dtype=np.int64)[order] + seq_off[owner]
        nact = np.array([len(infosets.actions[i]) for i in order], dtype=np.int64)
        mover = np.where(parent >= 0, player[np.maximum(parent, 0)], CHANCE)
        edge = np.where(local >= 0, local + seq_off[np.maximum(mover, 0)], -1)
        child, sibling = _links(parent, edge)
        return HistoryGame(
            name=name,
            players=n,
            parent=_unsigned(parent),
            edge=edge.astype(np.int32),
            chance=np.frombuffer(self.chance, dtype=np.float64),
            player=player,
            infoset=_infoset_of(child, edge, first, nact, player),
            utility=utility,
            child=_unsigned(child),
            sibling=_unsigned(sibling),
            seq_off=seq_off.astype(np.uint32),
            iset_off=np.searchsorted(owner, np.arange(n + 1)).astype(np.uint32),
            first=first.astype(np.uint32),
            nact=nact.astype(np.uint32),
            infostates=tuple(infosets.text[i] for i in order),
            actions=tuple(infosets.actions[i] for i in order),
        )


def _links(parent: IntArray, edge: IntArray) -> tuple[IntArray, IntArray]:
    """Return first child and next sibling [H] (-1 for none); children in the order of their slots.

    After chance the latest history comes first: the walk's stack reverses the outcomes.
    """
    child = np.full(parent.shape, -1, dtype=np.int64)
    sibling = np.full(parent.shape, -1, dtype=np.int64)
    order = np.lexsort((np.where(edge >= 0, edge, -np.arange(len(parent))), parent))
    above = parent[order]
    head = np.ones(len(order), dtype=bool)
    head[1:] = above[1:] != above[:-1]
    known = head & (above >= 0)
    child[above[known]] = order[known]
    follows = np.flatnonzero(~head)
    sibling[order[follows - 1]] = order[follows]
    return child, sibling


def _infoset_of(child: IntArray, edge: IntArray, first: IntArray, nact: IntArray, player: Int32Array) -> Int32Array:
    """Return the infoset [H] of decision histories from the slot of their first child."""
    of_slot = np.full(int((first + nact).max(initial=0)) + 1, -1, dtype=np.int32)
    of_slot[first] = np.arange(len(first), dtype=np.int32)
    deciding = player >= 0
    out = np.full(child.shape, -1, dtype=np.int32)
    out[deciding] = of_slot[edge[child[deciding]]]
    return out


def _unsigned(a: IntArray | Sequence[int]) -> UIntArray:
    return np.where(np.asarray(a) < 0, NO_HISTORY, a).astype(np.uint32)
