"""Small game trees as plain nodes: what files are read into and what a Python user writes by hand.

A tree is made bottom-up from three kinds of nodes::

    deal = Chance(("heads", "tails"), (0.5, 0.5), (
        Decision(0, "saw heads", ("bet", "pass"), (Terminal((1.0, -1.0)), Terminal((0.0, 0.0)))),
        Decision(0, "saw tails", ("bet", "pass"), (Terminal((-1.0, 1.0)), Terminal((0.0, 0.0)))),
    ))
    game = GameTree("coin", ("guesser", "house"), deal).game()

Decision nodes of one player with the same ``infoset`` string form one information set and must have the
same actions.  Payoffs stand at terminals only; the file readers add up payoffs met on the way.  All walks
use explicit stacks, so deep trees do not exhaust Python's.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.errors import InvalidValue

CHANCE_TOLERANCE = 1e-9


@dataclass(frozen=True, slots=True)
class Terminal:
    """End of the game with one finite payoff per player."""

    payoffs: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Chance:
    """A move of nature; probabilities are non-negative and sum to 1 within 1e-9."""

    actions: tuple[str, ...]
    probabilities: tuple[float, ...]
    children: tuple[Node, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """A move of ``player`` (0-based), who cannot tell apart the nodes with the same ``infoset`` string."""

    player: int
    infoset: str
    actions: tuple[str, ...]
    children: tuple[Node, ...] = field(repr=False)


Node: TypeAlias = "Terminal | Chance | Decision"


def decision(player: int, infoset: str, moves: dict[str, Node]) -> Decision:
    """Make a decision node from ``{action: child}``."""
    return Decision(player, infoset, tuple(moves), tuple(moves.values()))


def chance(outcomes: dict[str, tuple[float, Node]]) -> Chance:
    """Make a chance node from ``{outcome: (probability, child)}``."""
    probabilities, children = zip(*outcomes.values(), strict=True) if outcomes else ((), ())
    return Chance(tuple(outcomes), tuple(map(float, probabilities)), tuple(children))


def payoff(*values: float) -> Terminal:
    """Make a terminal node from one payoff per player."""
    return Terminal(tuple(map(float, values)))


@dataclass(frozen=True)
class GameTree:
    """A named game tree.

    Attributes:
        name: Title of the game.
        players: Names of the players, at least one.
        root: First node.

    Raises:
        InvalidValue: At construction, if a node breaks a rule; the message names the path of actions.
    """

    name: str
    players: tuple[str, ...]
    root: Node = field(repr=False)

    def __post_init__(self) -> None:
        if not self.players:
            raise InvalidValue(f"game {self.name!r} needs at least one player")
        seen: dict[tuple[int, str], tuple[str, ...]] = {}
        for node, path in self.walk():
            problem = _problem(node, len(self.players), seen)
            if problem:
                raise InvalidValue(f"game {self.name!r} at {_place(path)}: {problem}")

    def walk(self) -> Iterator[tuple[Node, Path]]:
        """Yield every node in depth-first order with its path (a linked list of actions, last one first)."""
        stack: list[tuple[Node, Path]] = [(self.root, None)]
        while stack:
            node, path = stack.pop()
            yield node, path
            if not isinstance(node, Terminal):
                pairs = zip(reversed(node.actions), reversed(node.children), strict=False)
                stack.extend((child, (action, path)) for action, child in pairs)

    def game(self) -> ExtensiveGame:
        """Convert the tree to the arrays of the tabular solvers.

        Raises:
            ImperfectRecall: If an infoset joins different own histories.
        """
        from equilibria.games.extensive.tree_convert import to_game

        return to_game(self)


Path: TypeAlias = "tuple[str, Path] | None"


def _place(path: Path) -> str:
    actions: list[str] = []
    while path is not None:
        actions.append(path[0])
        path = path[1]
    return "the root" if not actions else "node /" + "/".join(reversed(actions))


def _problem(node: Node, players: int, seen: dict[tuple[int, str], tuple[str, ...]]) -> str:
    if isinstance(node, Terminal):
        return _terminal_problem(node.payoffs, players)
    if not node.actions or len(node.actions) != len(node.children):
        return f"expected one child per action and at least one, got actions {node.actions} and {len(node.children)} children"
    if len(set(node.actions)) != len(node.actions):
        return f"action names must differ, got {node.actions}"
    if isinstance(node, Chance):
        return _chance_problem(node.probabilities, len(node.actions))
    if not 0 <= node.player < players:
        return f"player must lie in 0..{players - 1}, got {node.player!r}"
    known = seen.setdefault((node.player, node.infoset), node.actions)
    if known != node.actions:
        return f"infoset {node.infoset!r} has actions {node.actions} here and {known} elsewhere"
    return ""


def _terminal_problem(payoffs: Sequence[float], players: int) -> str:
    if len(payoffs) != players:
        return f"expected {players} payoffs, got {len(payoffs)}"
    return "" if all(map(math.isfinite, payoffs)) else f"payoffs must be finite, got {tuple(payoffs)}"


def _chance_problem(probabilities: Sequence[float], actions: int) -> str:
    if len(probabilities) != actions:
        return f"expected {actions} probabilities, got {len(probabilities)}"
    if not all(math.isfinite(p) and p >= 0.0 for p in probabilities):
        return f"chance probabilities must be non-negative, got {tuple(probabilities)}"
    total = math.fsum(probabilities)
    return "" if abs(total - 1.0) <= CHANCE_TOLERANCE else f"chance probabilities must sum to 1, they sum to {total!r}"
