"""From collected infosets and terminals to merged sequence-form arrays.

Axes: n players, S sequences, I infosets, K terminals, M merged terminals.

Steps: number sequences and infosets globally (player by player, first-visit order within a player);
add up the terminals that have equal sequence tuples; sort one copy of them per player by
(own sequence, other players' sequences in increasing player order); index its rows.

Cost: O(n K log K) time; 4n + 8(n + 1) bytes per terminal before merging and about 40 bytes more per
terminal at the peak.
"""

from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from equilibria.games.extensive.arrays import ExtensiveGame, GameArrays
from equilibria.sim.errors import InvalidValue
from equilibria.sim.types import FloatArray, IntArray

_KEY_LIMIT = 2**63 - 1
_CONSTANT_SUM_TOLERANCE = 1e-9
_LARGEST_UTILITY = 1e300  # sums over players and terminals must stay finite


@dataclass(slots=True)
class Infosets:
    """Infosets in first-visit order over all players; sequence numbers are local to the owner."""

    players: int
    owner: list[int] = field(default_factory=list)
    parent: list[int] = field(default_factory=list)
    first: list[int] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    actions: list[tuple[int, ...]] = field(default_factory=list)
    names: list[tuple[str, ...]] = field(default_factory=list)
    sequences: list[int] = field(default_factory=list)  # [n] sequences so far, the empty one included

    def __post_init__(self) -> None:
        self.sequences = [1] * self.players

    def add(self, player: int, text: str, actions: tuple[int, ...], parent: int, names: tuple[str, ...] = ()) -> int:
        """Append an infoset and return its first action sequence."""
        first = self.sequences[player]
        self.owner.append(player)
        self.parent.append(parent)
        self.first.append(first)
        self.text.append(text)
        self.actions.append(actions)
        self.names.append(names)
        self.sequences[player] = first + len(actions)
        return first


@dataclass(slots=True)
class Terminals:
    """Growing typed buffers of the terminals of an n-player tree."""

    players: int
    sequences: array[int] = field(default_factory=lambda: array("I"))  # [K*n] local sequences
    utilities: array[float] = field(default_factory=lambda: array("d"))  # [K*n]
    chance: array[float] = field(default_factory=lambda: array("d"))  # [K]


def assemble(name: str, infosets: Infosets, terminals: Terminals, *, nodes: int) -> ExtensiveGame:
    """Merge and sort the terminals and return the finished game.

    Raises:
        InvalidValue: If a utility is not finite.
    """
    n = infosets.players
    seqs = np.frombuffer(terminals.sequences, dtype=np.uint32).reshape(-1, n)
    util = np.frombuffer(terminals.utilities, dtype=np.float64).reshape(-1, n)
    chance = np.frombuffer(terminals.chance, dtype=np.float64)
    _check_finite(name, util)
    order = sorted(range(len(infosets.owner)), key=infosets.owner.__getitem__)  # stable: by player
    counts = np.array(infosets.sequences, dtype=np.int64)
    seq_off = np.concatenate(([0], np.cumsum(counts)))
    if int(seq_off[-1]) >= 2**32:
        raise InvalidValue(f"game {name!r} has {int(seq_off[-1])} sequences; at most 2**32 - 1 are possible")
    owner = np.array(infosets.owner, dtype=np.int64)[order]
    merged, weighted, mass = _merge(seqs, util, chance, counts)
    rowptr, col, val, cval = _rows(merged, weighted, mass, counts, seq_off)
    arrays = GameArrays(
        players=n,
        seq_off=_frozen(seq_off.astype(np.uint32)),
        iset_off=_frozen(np.searchsorted(owner, np.arange(n + 1)).astype(np.uint32)),
        parent=_frozen((np.array(infosets.parent, dtype=np.int64)[order] + seq_off[owner]).astype(np.uint32)),
        first=_frozen((np.array(infosets.first, dtype=np.int64)[order] + seq_off[owner]).astype(np.uint32)),
        nact=_frozen(np.array([len(infosets.actions[i]) for i in order], dtype=np.uint32)),
        rowptr=_frozen(rowptr),
        col=_frozen(col),
        val=_frozen(val),
        cval=_frozen(cval),
    )
    return make_game(
        name=name,
        arrays=arrays,
        infostates=tuple(infosets.text[i] for i in order),
        actions=tuple(infosets.actions[i] for i in order),
        action_names=tuple(infosets.names[i] for i in order),
        utility_min=float(util.min()),
        utility_max=float(util.max()),
        constant_sum=_constant_sum(util),
        nodes=nodes,
        terminals=int(chance.shape[0]),
    )


def make_game(
    *,
    name: str,
    arrays: GameArrays,
    infostates: tuple[str, ...],
    actions: tuple[tuple[int, ...], ...],
    action_names: tuple[tuple[str, ...], ...],
    utility_min: float,
    utility_max: float,
    constant_sum: float | None,
    nodes: int,
    terminals: int,
    content_hash: str = "",
) -> ExtensiveGame:
    """Add index and content hash to the parts of a game."""
    owner = np.repeat(np.arange(arrays.players), arrays.iset_off[1:] - arrays.iset_off[:-1]).tolist()
    index = {key: i for i, key in enumerate(zip(owner, infostates, strict=True))}
    if len(index) != len(infostates):
        raise InvalidValue(f"game {name!r} has two infosets of one player with the same name")
    return ExtensiveGame(
        name=name,
        arrays=arrays,
        infostates=infostates,
        actions=actions,
        action_names=action_names,
        utility_min=utility_min,
        utility_max=utility_max,
        constant_sum=constant_sum,
        nodes=nodes,
        terminals=terminals,
        content_hash=content_hash or _hash(arrays, infostates, actions),
        index=index,
    )


def _check_finite(name: str, util: FloatArray) -> None:
    bad = np.flatnonzero(~np.isfinite(util).all(axis=1))
    if bad.size:
        row = util[bad[0]].tolist()
        raise InvalidValue(f"game {name!r}: utilities of terminal {int(bad[0])} are {row}; they must be finite")
    largest = float(np.abs(util).max())
    if largest > _LARGEST_UTILITY:
        raise InvalidValue(f"game {name!r}: utilities reach {largest!r}; they must stay below {_LARGEST_UTILITY!r}")


def _constant_sum(util: FloatArray) -> float | None:
    total = util.sum(axis=1)
    spread = float(util.max() - util.min())
    if float(total.max() - total.min()) > _CONSTANT_SUM_TOLERANCE * max(spread, 1e-300):
        return None
    return float(total[0])


def _keys(seqs: IntArray | NDArray[np.uint32], counts: IntArray, order: list[int]) -> IntArray | None:
    """Combine each tuple to one number, most significant player first; ``None`` when 63 bits do not suffice."""
    size = 1
    for p in order:
        size *= int(counts[p])
    if size > _KEY_LIMIT:
        return None
    key = np.zeros(seqs.shape[0], dtype=np.int64)
    for p in order:
        key *= counts[p]
        key += seqs[:, p]
    return key


def _sort(seqs: NDArray[np.uint32], counts: IntArray, order: list[int]) -> IntArray:
    """Return the stable permutation that sorts the rows by the players in ``order``."""
    key = _keys(seqs, counts, order)
    if key is not None:
        return np.argsort(key, kind="stable")
    return np.lexsort([seqs[:, p] for p in reversed(order)])


def _merge(
    seqs: NDArray[np.uint32], util: FloatArray, chance: FloatArray, counts: IntArray
) -> tuple[NDArray[np.uint32], FloatArray, FloatArray]:
    """Add up terminals with equal tuples; rows come out sorted by player 0, 1, ..."""
    perm = _sort(seqs, counts, list(range(seqs.shape[1])))
    ordered = seqs[perm]
    new = np.ones(len(perm), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    start = np.flatnonzero(new)
    mass = np.add.reduceat(chance[perm], start)
    weighted = np.empty((len(start), seqs.shape[1]))
    for p in range(seqs.shape[1]):
        weighted[:, p] = np.add.reduceat((chance * util[:, p])[perm], start)
    return ordered[start], weighted, mass


def _rows(
    merged: NDArray[np.uint32], weighted: FloatArray, mass: FloatArray, counts: IntArray, seq_off: IntArray
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.uint32], FloatArray, FloatArray]:
    """Return row pointers, columns, utilities and chance masses of all players' sorted copies."""
    m, n = merged.shape
    rowptr = np.zeros(int(seq_off[-1]) + 1, dtype=np.int64)
    col = np.empty((n - 1, n * m), dtype=np.uint32)
    val, cval = np.empty(n * m), np.empty(n * m)
    for p in range(n):
        others = [j for j in range(n) if j != p]
        perm = np.arange(m) if p == 0 else _sort(merged, counts, [p, *others])
        block = slice(p * m, (p + 1) * m)
        for row, j in enumerate(others):
            col[row, block] = merged[perm, j] + np.uint32(seq_off[j])
        val[block], cval[block] = weighted[perm, p], mass[perm]
        per_row = np.bincount(merged[:, p], minlength=int(counts[p]))
        rowptr[int(seq_off[p]) + 1 : int(seq_off[p + 1]) + 1] = per_row
    pointers = np.cumsum(rowptr)
    return pointers.astype(np.uint64 if n * m >= 2**32 else np.uint32), col, val, cval


_Array = TypeVar("_Array", bound=NDArray[Any])


def _frozen(a: _Array) -> _Array:
    a.flags.writeable = False
    return a


def _hash(arrays: GameArrays, infostates: tuple[str, ...], actions: tuple[tuple[int, ...], ...]) -> str:
    digest = hashlib.sha256(f"players {arrays.players}".encode())
    for a in (arrays.seq_off, arrays.iset_off, arrays.parent, arrays.first, arrays.nact, arrays.rowptr, arrays.col):
        digest.update(a.tobytes())
    digest.update(arrays.val.tobytes())
    digest.update(arrays.cval.tobytes())
    digest.update("\x00".join(infostates).encode("utf-8", "surrogatepass"))
    digest.update(repr(actions).encode())
    return digest.hexdigest()
