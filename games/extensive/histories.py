"""The history-level arrays behind a game: what sampling solvers, search and exact beliefs walk on."""

from __future__ import annotations

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.history import HistoryGame
from equilibria.sim.errors import EquilibriaError, Unsupported


def histories_of(game: ExtensiveGame) -> HistoryGame:
    """Return the histories of a game; action slots equal the game's sequences.

    Games from files, trees and tables carry their own maker; OpenSpiel games are walked again by name.

    Raises:
        Unsupported: If the histories of the game are unknown (a game made terminal by terminal).
    """
    if game.histories is not None:
        return _checked(game, game.histories())
    from equilibria.games.extensive.spiel import openspiel_history

    try:
        found = openspiel_history(game.name, max_nodes=game.nodes + 1)
    except EquilibriaError as error:
        raise Unsupported(
            f"the histories of {game.name!r} are unknown; make the game from a tree, a file, a table or OpenSpiel"
        ) from error
    return _checked(game, found)


def _checked(game: ExtensiveGame, found: HistoryGame) -> HistoryGame:
    if found.infostates != game.infostates or found.actions != game.actions:
        raise Unsupported(
            f"the histories of {game.name!r} have other infosets than the game (was it refined?); sampling needs "
            "a game of perfect recall as it is"
        )
    return found
