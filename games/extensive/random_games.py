"""Random extensive-form games of perfect recall, drawn by seed.

Shape: players and chance move in a fixed pattern of levels.  At every level one mover acts: chance (with
probability ``chance``) or a player in turn.  Players observe each earlier move with probability ``observe`` (their
own always), so information sets group histories that look alike; payoffs are uniform in [-1, 1].
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.tree import Chance, Decision, GameTree, Node, Terminal
from equilibria.sim.errors import GameTooLarge, InvalidValue
from equilibria.sim.seeds import SeedTree

MAX_LEAVES = 1_000_000


@dataclass(frozen=True, slots=True)
class _Level:
    """One move of the pattern: who moves, how many actions, who sees it."""

    mover: int
    actions: int
    seen_by: tuple[bool, ...]


@dataclass(frozen=True, slots=True)
class _Draft:
    """A node before its children are made: level, moves so far, what each player saw."""

    level: int
    seen: tuple[tuple[int, ...], ...]


def random_tree(
    seeds: SeedTree,
    *,
    players: int = 2,
    depth: int = 4,
    actions: tuple[int, int] = (2, 3),
    chance: float = 0.25,
    observe: float = 0.5,
    zero_sum: bool = True,
) -> GameTree:
    """Draw a random game tree; equal arguments give equal trees.

    Args:
        seeds: Seed tree node.
        players: Number of players, >= 1.
        depth: Moves of every history, >= 1.
        actions: Least and most actions per level, >= 1.
        chance: Probability that a level belongs to chance, in [0, 1).
        observe: Probability that a player sees a move of somebody else, in [0, 1].
        zero_sum: Payoffs sum to zero (the last player gets minus the others' sum).

    Raises:
        InvalidValue: If an argument is out of range.
        GameTooLarge: Above 1e6 leaves.

    Example:
        >>> random_tree(SeedTree(1), depth=2).game().players
        2
    """
    _check(players, depth, actions, chance, observe)
    rng = seeds.child("random game").generator()
    levels = _pattern(rng, players, depth, actions, chance, observe)
    leaves = int(np.prod([float(level.actions) for level in levels]))
    if leaves > MAX_LEAVES:
        raise GameTooLarge(f"the random game would have {leaves} leaves, at most {MAX_LEAVES} are drawn; reduce depth")
    payoffs = rng.uniform(-1.0, 1.0, size=(leaves, players))
    if zero_sum and players > 1:
        payoffs[:, -1] = -payoffs[:, :-1].sum(axis=1)
    names = tuple(f"player {p}" for p in range(players))
    return GameTree(f"random game (seed {seeds.seed})", names, _grow(levels, players, payoffs, rng))


def random_game(
    seeds: SeedTree,
    *,
    players: int = 2,
    depth: int = 4,
    actions: tuple[int, int] = (2, 3),
    chance: float = 0.25,
    observe: float = 0.5,
    zero_sum: bool = True,
) -> ExtensiveGame:
    """Draw a random game as arrays; arguments and errors as ``random_tree``."""
    tree = random_tree(
        seeds, players=players, depth=depth, actions=actions, chance=chance, observe=observe, zero_sum=zero_sum
    )
    return tree.game()


def _check(players: int, depth: int, actions: tuple[int, int], chance: float, observe: float) -> None:
    if players < 1 or depth < 1:
        raise InvalidValue(f"players and depth must be at least 1, got {players!r} and {depth!r}")
    if not 1 <= actions[0] <= actions[1]:
        raise InvalidValue(f"actions must be 1 <= least <= most, got {actions!r}")
    if not (0.0 <= chance < 1.0 and 0.0 <= observe <= 1.0):
        raise InvalidValue(f"chance must lie in [0, 1) and observe in [0, 1], got {chance!r} and {observe!r}")


def _pattern(
    rng: np.random.Generator, players: int, depth: int, actions: tuple[int, int], chance: float, observe: float
) -> list[_Level]:
    levels = []
    turn = 0
    for _ in range(depth):
        by_chance = bool(rng.random() < chance)
        seen = rng.random(players) < observe
        count = int(rng.integers(actions[0], actions[1] + 1))
        mover = -1 if by_chance else turn % players
        if not by_chance:
            seen[mover] = True  # perfect recall: own moves are remembered
            turn += 1
        levels.append(_Level(mover, count, tuple(bool(s) for s in seen)))
    return levels


def _grow(
    levels: list[_Level],
    players: int,
    payoffs: np.ndarray[tuple[int, ...], np.dtype[np.float64]],
    rng: np.random.Generator,
) -> Node:
    """Build the tree level by level: drafts from the root down, nodes from the leaves up."""
    layers = [[_Draft(0, ((),) * players)]]
    for depth, level in enumerate(levels, start=1):
        layers.append(
            [
                _Draft(depth, tuple((*s, a) if seen else s for s, seen in zip(d.seen, level.seen_by, strict=True)))
                for d in layers[-1]
                for a in range(level.actions)
            ]
        )
    nodes: list[Node] = [Terminal(tuple(row)) for row in payoffs.tolist()]
    for depth in range(len(levels) - 1, -1, -1):
        level = levels[depth]
        names = tuple(f"a{k}" for k in range(level.actions))
        upper: list[Node] = []
        for k, draft in enumerate(layers[depth]):
            children = tuple(nodes[k * level.actions : (k + 1) * level.actions])
            if level.mover < 0:
                upper.append(Chance(names, _distribution(rng, level.actions), children))
            else:
                text = f"{depth}:" + ",".join(map(str, draft.seen[level.mover]))
                upper.append(Decision(level.mover, text, names, children))
        nodes = upper
    return nodes[0]


def _distribution(rng: np.random.Generator, size: int) -> tuple[float, ...]:
    return tuple(rng.dirichlet(np.ones(size)).tolist())
