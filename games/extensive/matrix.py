"""Matrix games and Bayesian matrix games as sequence-form arrays.

Axes: n players, A_p actions of player p, T_p types of player p.

All players move at once; in the arrays that is one infoset per player (and type), in any order.  Nothing
but payoffs is stored per profile, so a 1000 x 1000 game takes 48 MB and half a second.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.convert import Infosets, Terminals, assemble
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.types import FloatArray

if TYPE_CHECKING:
    from equilibria.games.extensive.history import HistoryGame
    from equilibria.games.extensive.tree import Node

MAX_PROFILES = 50_000_000
_PRIOR_TOLERANCE = 1e-9


def matrix_game(
    payoffs: ArrayLike, *, name: str = "matrix game", actions: Sequence[Sequence[str]] | None = None
) -> ExtensiveGame:
    """Make a simultaneous-move game from payoff tables.

    Args:
        payoffs: [n, A_0, ..., A_{n-1}] payoff of each player at each profile; a single matrix [A_0, A_1] is
            the row player's payoff of a two-player zero-sum game.
        name: Name of the game.
        actions: Action names per player, numbers if ``None``.

    Raises:
        InvalidValue: If the shape is not that of a game, a payoff is not finite, or names do not fit.
        GameTooLarge: Above 5e7 profiles.

    Example:
        >>> matrix_game([[1, -1], [-1, 1]]).constant_sum
        0.0
    """
    table = _payoff_table(payoffs)
    players, sizes = table.shape[0], table.shape[1:]
    names = _action_names(actions, sizes)
    infosets = Infosets(players)
    for p, size in enumerate(sizes):
        infosets.add(p, f"player {p}", tuple(range(size)), 0, names[p])
    sequences = np.stack([grid.ravel() + 1 for grid in np.indices(sizes)], axis=1)
    terminals = _terminals(sequences, table.reshape(players, -1).T, np.ones(sequences.shape[0]))
    game = assemble(name, infosets, terminals, nodes=int(sum(np.cumprod((1, *sizes)))))
    infostates = [tuple(f"player {p}" for p in range(players))]
    return replace(game, histories=_Histories(name, infostates, [table], [1.0]))


def bayesian_matrix_game(
    payoffs: ArrayLike,
    prior: ArrayLike,
    *,
    name: str = "Bayesian matrix game",
    types: Sequence[Sequence[str]] | None = None,
    actions: Sequence[Sequence[str]] | None = None,
) -> ExtensiveGame:
    """Make a simultaneous-move game in which every player knows the own type only.

    Args:
        payoffs: [T_0, ..., T_{n-1}, n, A_0, ..., A_{n-1}] payoffs at each profile of types and actions.
        prior: [T_0, ..., T_{n-1}] probabilities of the type profiles, summing to 1 within 1e-9.
        name: Name of the game.
        types: Type names per player, numbers if ``None``; the information state is ``"type NAME"``.
        actions: Action names per player, numbers if ``None``.

    Raises:
        InvalidValue: If shapes do not fit, the prior is no distribution, or a payoff is not finite.
        GameTooLarge: Above 5e7 profiles of types and actions.
    """
    chance = _finite("prior", prior)
    players = chance.ndim
    table = _finite("payoffs", payoffs)
    if players == 0 or table.ndim != 2 * players + 1 or table.shape[: players + 1] != (*chance.shape, players):
        raise InvalidValue(
            f"payoffs must have shape (types..., n, actions...) with the types of the prior {chance.shape} and "
            f"n = {players}, got {table.shape}"
        )
    if np.any(chance < 0) or abs(float(chance.sum()) - 1.0) > _PRIOR_TOLERANCE:
        raise InvalidValue(
            f"prior must be a distribution, got sum {float(chance.sum())!r}, least {float(chance.min())!r}"
        )
    sizes = table.shape[players + 1 :]
    _check_size(table.size // players)
    type_names = _action_names(types, chance.shape, "type")
    infosets = _type_infosets(chance.shape, sizes, type_names, _action_names(actions, sizes))
    blocks = [
        _type_block(t, sizes, table[t], float(chance[t])) for t in product(*map(range, chance.shape)) if chance[t] > 0
    ]
    sequences, utilities, weights = (np.concatenate(part) for part in zip(*blocks, strict=True))
    nodes = 1 + len(blocks) * int(sum(np.cumprod((1, *sizes))))
    game = assemble(name, infosets, _terminals(sequences, utilities, weights), nodes=nodes)
    # type profiles of probability 0 stay in the tree, so that infosets keep their order
    profiles = list(product(*map(range, chance.shape)))
    texts = [tuple(f"type {_type_name(type_names[p], k)}" for p, k in enumerate(t)) for t in profiles]
    tables, probabilities = [table[t] for t in profiles], [float(chance[t]) for t in profiles]
    return replace(game, histories=_Histories(name, texts, tables, probabilities))


def _type_infosets(
    types: tuple[int, ...], sizes: tuple[int, ...], type_names: list[tuple[str, ...]], names: list[tuple[str, ...]]
) -> Infosets:
    infosets = Infosets(len(types))
    for p, size in enumerate(sizes):
        for t in range(types[p]):
            infosets.add(p, f"type {_type_name(type_names[p], t)}", tuple(range(size)), 0, names[p])
    return infosets


def _type_name(names: tuple[str, ...], number: int) -> str:
    return names[number] if names else str(number)


class _Histories:
    """Makes the histories of a table game on demand: players move one after the other without seeing anything."""

    def __init__(
        self, name: str, infostates: list[tuple[str, ...]], tables: list[FloatArray], probabilities: list[float]
    ) -> None:
        self._name, self._infostates, self._tables, self._probabilities = name, infostates, tables, probabilities

    def __call__(self) -> HistoryGame:
        from equilibria.games.extensive.tree import Chance, GameTree
        from equilibria.games.extensive.tree_convert import to_histories

        blocks = tuple(_grow(t, texts) for t, texts in zip(self._tables, self._infostates, strict=True))
        labels = tuple(str(k) for k in range(len(blocks)))
        root = blocks[0] if len(blocks) == 1 else Chance(labels, tuple(self._probabilities), blocks)
        players = tuple(f"player {p}" for p in range(self._tables[0].shape[0]))
        return to_histories(GameTree(self._name, players, root))


def _grow(table: FloatArray, infostates: tuple[str, ...]) -> Node:
    """Return the tree of one payoff table [n, A_0, ..., A_{n-1}], last mover first."""
    from equilibria.games.extensive.tree import Decision, Terminal

    players, sizes = table.shape[0], table.shape[1:]
    nodes: list[Node] = [Terminal(tuple(row)) for row in table.reshape(players, -1).T.tolist()]
    for p in range(players - 1, -1, -1):
        size = sizes[p]
        names = tuple(str(k) for k in range(size))
        groups = [tuple(nodes[k : k + size]) for k in range(0, len(nodes), size)]
        nodes = [Decision(p, infostates[p], names, children) for children in groups]
    return nodes[0]


def _type_block(
    types: tuple[int, ...], sizes: tuple[int, ...], table: FloatArray, probability: float
) -> tuple[NDArray[np.int64], FloatArray, FloatArray]:
    """Return sequences [K, n], utilities [K, n] and chance [K] of one profile of types."""
    columns = [1 + t * size + grid.ravel() for t, size, grid in zip(types, sizes, np.indices(sizes), strict=True)]
    sequences = np.stack(columns, axis=1)
    return sequences, table.reshape(len(sizes), -1).T, np.full(sequences.shape[0], probability)


def _terminals(sequences: NDArray[np.int64], utilities: FloatArray, chance: FloatArray) -> Terminals:
    terminals = Terminals(sequences.shape[1])
    terminals.sequences = array("I", np.ascontiguousarray(sequences, dtype=np.uint32).tobytes())
    terminals.utilities = array("d", np.ascontiguousarray(utilities, dtype=np.float64).tobytes())
    terminals.chance = array("d", np.ascontiguousarray(chance, dtype=np.float64).tobytes())
    return terminals


def _finite(what: str, values: ArrayLike) -> FloatArray:
    try:
        table = np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidValue(f"{what} must be a rectangular table of numbers: {error}") from error
    if not np.all(np.isfinite(table)):
        where = tuple(int(i) for i in np.argwhere(~np.isfinite(table))[0])
        raise InvalidValue(f"{what} must be finite, got {float(table[where])!r} at {where}")
    return table


def _payoff_table(payoffs: ArrayLike) -> FloatArray:
    table = _finite("payoffs", payoffs)
    if table.ndim == 2:
        table = np.stack([table, 0.0 - table])
    if table.ndim < 3 or table.shape[0] != table.ndim - 1 or 0 in table.shape:
        raise InvalidValue(
            "payoffs must be one matrix (two players, zero-sum) or have shape (n, A_0, ..., A_{n-1}), "
            f"got shape {np.asarray(payoffs).shape}"
        )
    _check_size(table.size // table.shape[0])
    return table


def _check_size(profiles: int) -> None:
    if profiles > MAX_PROFILES:
        raise GameTooLarge(f"the table has {profiles} profiles, at most {MAX_PROFILES} are possible")


def _action_names(
    names: Sequence[Sequence[str]] | None, sizes: tuple[int, ...], what: str = "action"
) -> list[tuple[str, ...]]:
    if names is None:
        return [()] * len(sizes)
    found = tuple(len(set(n)) for n in names)
    if found != sizes:
        raise InvalidValue(f"expected {sizes} distinct {what} names per player, got {found}")
    return [tuple(n) for n in names]
