"""Verified symmetric games: one population may serve all players.

A game is symmetric when some one-to-one map between the players' sequences leaves payoffs unchanged
under permutations of the players.  Two maps are tried, sequence k to sequence k and equal infostate
texts, and each is verified on random policies: for every player q, exchanging players 0 and q must
exchange their payoffs and keep those of the others.  A passed check is evidence up to rounding; a
failed one is proof for the map that was tried.
"""

from __future__ import annotations

import numpy as np

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import random_policy
from equilibria.games.extensive.values import values_and_responses
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

_TOLERANCE = 1e-9
_TRIALS = 3


def verify_symmetric(game: ExtensiveGame) -> tuple[IntArray, ...]:
    """Return, per player, the map [S_p] such that plan_p = plan_0[map_p] plays player 0's policy.

    Raises:
        UnsupportedGame: If the game is not symmetric under any map that is tried; says why.
    """
    reasons = []
    for name, build in (("position", _by_position), ("infostate text", _by_text)):
        maps = [build(game, p) for p in range(game.players)]
        missing = [p for p, found in enumerate(maps) if found is None]
        if missing:
            reasons.append(f"players 0 and {missing[0]} have different decision trees (matched by {name})")
            continue
        checked = tuple(found for found in maps if found is not None)
        gap = _asymmetry(game, checked)
        if gap <= _TOLERANCE * max(game.utility_range, 1e-300):
            return checked
        reasons.append(f"exchanging players changes payoffs by {gap:.3g} on random policies (matched by {name})")
    raise UnsupportedGame(
        f"game {game.name!r} is not symmetric: {'; '.join(reasons)}; use symmetric: false, one population per player"
    )


def _by_position(game: ExtensiveGame, player: int) -> IntArray | None:
    first, parent, nact = _tree(game, player)
    first0, parent0, nact0 = _tree(game, 0)
    same = first.shape == first0.shape and bool(((first == first0) & (parent == parent0) & (nact == nact0)).all())
    return np.arange(_width(game, player)) if same else None


def _by_text(game: ExtensiveGame, player: int) -> IntArray | None:
    a = game.arrays
    if _width(game, player) != _width(game, 0):
        return None
    lo, hi = int(a.iset_off[player]), int(a.iset_off[player + 1])
    out = np.zeros(_width(game, player), np.int64)
    for i in range(lo, hi):
        twin = game.index.get((0, game.infostates[i]))
        if twin is None or game.actions[twin] != game.actions[i]:
            return None
        start, start0 = int(a.first[i]) - int(a.seq_off[player]), int(a.first[twin])
        if out[int(a.parent[i]) - int(a.seq_off[player])] != int(a.parent[twin]):
            return None
        out[start : start + int(a.nact[i])] = np.arange(start0, start0 + int(a.nact[i]))
    return out


def _asymmetry(game: ExtensiveGame, maps: tuple[IntArray, ...]) -> float:
    """Return the largest change of payoffs over exchanges of player 0 with another one."""
    off = game.arrays.seq_off.astype(np.int64)
    worst = 0.0
    for trial in range(_TRIALS):
        rng = SeedTree(0).child("symmetry", trial).generator()
        # n policies of player 0, one for each seat
        own = [random_policy(game, rng).plan()[: off[1]] for _ in range(game.players)]
        before = _values(game, maps, own)
        for q in range(1, game.players):
            swapped = list(own)
            swapped[0], swapped[q] = own[q], own[0]
            after = _values(game, maps, swapped)
            after[[0, q]] = after[[q, 0]]
            worst = max(worst, float(np.abs(after - before).max()))
    return worst


def _values(game: ExtensiveGame, maps: tuple[IntArray, ...], own: list[FloatArray]) -> FloatArray:
    x = np.concatenate([plan[m] for plan, m in zip(own, maps, strict=True)])
    return values_and_responses(game, x)[0].copy()


def _tree(game: ExtensiveGame, player: int) -> tuple[IntArray, IntArray, IntArray]:
    a, off = game.arrays, int(game.arrays.seq_off[player])
    span = slice(int(a.iset_off[player]), int(a.iset_off[player + 1]))
    return (a.first[span].astype(np.int64) - off, a.parent[span].astype(np.int64) - off, a.nact[span].astype(np.int64))


def _width(game: ExtensiveGame, player: int) -> int:
    return int(game.arrays.seq_off[player + 1]) - int(game.arrays.seq_off[player])
