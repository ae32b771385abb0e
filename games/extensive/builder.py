"""A direct builder of sequence-form games, for trees that do not come from OpenSpiel.

Axes: n players, S_p sequences of player p, I infosets, K terminals before merging.

A tree is described by what its terminals see: first every infoset is announced with the own sequence
that leads to it, then every terminal with the tuple of the players' last sequences.  Sequence 0 of
every player is the empty one; ``add_infoset`` returns the first action sequence of the infoset, and
action number i of it is that number plus i.

Example (matching pennies, the second player does not see the first one's choice)::

    b = GameBuilder(2, name="pennies")
    row = b.add_infoset(0, "row", ["heads", "tails"])
    col = b.add_infoset(1, "column", ["heads", "tails"])
    for i in range(2):
        for j in range(2):
            u = 1.0 if i == j else -1.0
            b.add_terminal((row + i, col + j), (u, -u))
    game = b.build()

Cost: 4n + 8(n + 1) bytes per terminal while building, O(K log K) time in ``build``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.convert import Infosets, Terminals, assemble
from equilibria.sim.errors import ImperfectRecall, InvalidValue

EMPTY_SEQUENCE = 0


@dataclass(frozen=True, slots=True)
class _Known:
    parent: int
    first: int
    actions: tuple[int, ...]


class GameBuilder:
    """Collect infosets and terminals of a perfect-recall game, then ``build`` it.

    Args:
        players: Number n of players, at least 1.
        name: Name of the game, for messages and reports.

    Raises:
        InvalidValue: If ``players`` is below 1.
    """

    def __init__(self, players: int, *, name: str = "game") -> None:
        if players < 1:
            raise InvalidValue(f"players must be at least 1, got {players!r}")
        self.name = name
        self.players = players
        self._infosets = Infosets(players)
        self._terminals = Terminals(players)
        self._known: list[dict[str, _Known]] = [{} for _ in range(players)]

    def add_infoset(
        self,
        player: int,
        infostate: str,
        actions: Sequence[int] | Sequence[str] | int,
        parent: int = EMPTY_SEQUENCE,
    ) -> int:
        """Announce an infoset; announcing it again with the same data is allowed and cheap.

        Args:
            player: Owner, 0 <= player < n.
            infostate: Its name, unique among the owner's infosets.
            actions: Number of actions, or their names, or their integer ids.
            parent: Own sequence that leads to it (a value returned before, plus the action number).

        Returns:
            First action sequence of the infoset, local to the player.

        Raises:
            ImperfectRecall: If the infoset is known with another own past.
            InvalidValue: If the player, the parent or the actions are not possible.
        """
        self._check_player(player)
        names: tuple[str, ...] = ()
        if isinstance(actions, int):
            ids = tuple(range(actions))
        elif actions and isinstance(actions[0], str):
            names = tuple(str(a) for a in actions)
            ids = tuple(range(len(names)))
        else:
            ids = tuple(int(a) for a in actions)
        known = self._known[player].get(infostate)
        if known is not None:
            self._check_known(player, infostate, known, ids, parent)
            return known.first
        if not ids:
            raise InvalidValue(f"infoset {infostate!r} of player {player} needs at least one action")
        if not 0 <= parent < self._infosets.sequences[player]:
            last = self._infosets.sequences[player] - 1
            raise InvalidValue(
                f"parent of infoset {infostate!r} must be a sequence of player {player} in 0..{last}, got {parent!r}"
            )
        first = self._infosets.add(player, infostate, ids, parent, names)
        self._known[player][infostate] = _Known(parent, first, ids)
        return first

    def add_terminal(self, sequences: Sequence[int], utilities: Sequence[float], chance: float = 1.0) -> None:
        """Add a terminal history.

        Args:
            sequences: [n] last sequence of each player, local numbers, 0 for a player that never acted.
            utilities: [n] finite payoffs.
            chance: Product of the chance probabilities on its path, 0 <= chance <= 1.

        Raises:
            InvalidValue: If a length, a sequence, a payoff or the probability is not possible.
        """
        n = self.players
        if len(sequences) != n or len(utilities) != n:
            raise InvalidValue(
                f"a terminal needs {n} sequences and {n} utilities, got {len(sequences)} and {len(utilities)}"
            )
        for p, s in enumerate(sequences):
            if not 0 <= s < self._infosets.sequences[p]:
                last = self._infosets.sequences[p] - 1
                raise InvalidValue(f"sequence of player {p} must lie in 0..{last}, got {s!r}")
        if not all(math.isfinite(u) for u in utilities):
            raise InvalidValue(f"utilities of a terminal must be finite, got {tuple(utilities)!r}")
        if not 0.0 <= chance <= 1.0 + 1e-9:
            raise InvalidValue(f"chance probability of a terminal must lie in 0..1, got {chance!r}")
        self._terminals.sequences.extend(sequences)
        self._terminals.utilities.extend(utilities)
        self._terminals.chance.append(chance)

    def build(self, *, nodes: int | None = None) -> ExtensiveGame:
        """Merge the terminals and return the game.

        Args:
            nodes: Number of histories of the tree, for reports; without it terminals + infosets.

        Raises:
            InvalidValue: If there is no terminal.
        """
        if not self._terminals.chance:
            raise InvalidValue(f"game {self.name!r} has no terminal; add at least one")
        count = len(self._terminals.chance) + len(self._infosets.parent) if nodes is None else nodes
        return assemble(self.name, self._infosets, self._terminals, nodes=count)

    def _check_player(self, player: int) -> None:
        if not 0 <= player < self.players:
            raise InvalidValue(f"player must lie in 0..{self.players - 1}, got {player!r}")

    def _check_known(self, player: int, infostate: str, known: _Known, ids: tuple[int, ...], parent: int) -> None:
        if known.parent != parent:
            raise ImperfectRecall(
                f"game {self.name!r} has imperfect recall at infoset {infostate!r} of player {player}: "
                f"reached by own sequences {known.parent} and {parent}; give the histories different infosets"
            )
        if known.actions != ids:
            raise InvalidValue(
                f"infoset {infostate!r} of player {player} has actions {known.actions} in one history "
                f"and {ids} in another; they must agree"
            )
