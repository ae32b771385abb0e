"""Extensive-form games as merged sequence-form arrays.

Axes: n players, S sequences of all players, I infosets of all players, M merged terminals.

Sequences are numbered globally: player p owns ``seq_off[p] .. seq_off[p+1]-1``, the first of them is
the empty sequence.  The action sequences of an infoset are contiguous and every parent sequence has
a smaller number than its children, so one forward loop computes reaches and one backward loop
computes values.  Terminals with equal tuples of sequences are merged; every player owns a copy of
them sorted by the own sequence, so a gradient is a CSR product without scatter.

Reference: von Stengel (1996), Efficient computation of behavior strategies; Koller, Megiddo,
von Stengel (1994), Fast algorithms for finding randomized strategies in game trees.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from equilibria.sim.types import FloatArray, UIntArray

if TYPE_CHECKING:
    from equilibria.games.extensive.history import HistoryGame


@dataclass(frozen=True, slots=True)
class GameArrays:
    """The part of a game that kernels read; all arrays are read-only.

    Memory: 24 bytes per merged terminal for two players, 48 for three, 80 for four (with ``cval``
    8 bytes more per player).
    """

    players: int
    seq_off: UIntArray  # [n+1] first global sequence of each player
    iset_off: UIntArray  # [n+1] first global infoset of each player
    parent: UIntArray  # [I] global sequence that leads to the infoset
    first: UIntArray  # [I] first action sequence of the infoset
    nact: UIntArray  # [I] number of actions of the infoset
    rowptr: NDArray[np.unsignedinteger]  # [S+1] CSR rows over the n*M entries; uint32, uint64 if n*M >= 2**32
    col: UIntArray  # [n-1, n*M] the other players' global sequences, players in increasing order
    val: FloatArray  # [n*M] sum over merged terminals of chance probability x utility of the row's player
    cval: FloatArray  # [n*M] sum over merged terminals of chance probability

    @property
    def sequences(self) -> int:
        """Number S of sequences of all players."""
        return int(self.seq_off[-1])

    @property
    def infosets(self) -> int:
        """Number I of infosets of all players."""
        return int(self.iset_off[-1])

    @property
    def merged(self) -> int:
        """Number M of merged terminals."""
        return int(self.val.shape[0]) // self.players


@dataclass(frozen=True, slots=True)
class ExtensiveGame:
    """A finite perfect-recall game: arrays for the kernels and tables for people.

    Attributes:
        name: The string the game was made from (OpenSpiel string, file name, builder name).
        arrays: What kernels read.
        infostates: [I] information state strings; unique per player, not across players.
        actions: [I] the game's own action ids of each infoset, in sequence order.
        action_names: [I] readable action names, empty tuple when unknown.
        utility_min: Smallest terminal utility of any player.
        utility_max: Largest terminal utility of any player.
        constant_sum: Sum of utilities if the same at every terminal (within 1e-9 of the range), else ``None``.
        nodes: Histories of the tree the game was made from, chance and terminals included.
        terminals: Terminal histories before merging.
        content_hash: SHA-256 of the arrays and tables; key of caches and part of the plan.
        histories: Makes the history-level arrays when somebody asks for them; ``None`` where the name is
            an OpenSpiel string (see ``histories.histories_of``).
    """

    name: str
    arrays: GameArrays
    infostates: tuple[str, ...]
    actions: tuple[tuple[int, ...], ...]
    action_names: tuple[tuple[str, ...], ...]
    utility_min: float
    utility_max: float
    constant_sum: float | None
    nodes: int
    terminals: int
    content_hash: str
    index: dict[tuple[int, str], int] = field(repr=False)  # (player, infostate) -> infoset
    histories: Callable[[], HistoryGame] | None = field(default=None, repr=False, compare=False)

    @property
    def players(self) -> int:
        """Number n of players."""
        return self.arrays.players

    @property
    def utility_range(self) -> float:
        """Largest minus smallest terminal utility."""
        return self.utility_max - self.utility_min
