"""Information-state tensors of an OpenSpiel game, in the order of our infosets.

Cost: one walk over the histories until every infoset of the player has been met, at most about 5
microseconds per history.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.spiel import load
from equilibria.sim.errors import UnsupportedGame


def infoset_tensors(game: ExtensiveGame, player: int) -> NDArray[np.float32]:
    """Return features float32 [I_p, D] of a player's infosets.

    Raises:
        UnsupportedGame: If the game is not made from an OpenSpiel string, or OpenSpiel gives no tensors for it.
    """
    spiel = _load(game)
    kind = spiel.get_type()
    if not kind.provides_information_state_tensor:
        raise UnsupportedGame(f"OpenSpiel gives no information state tensors for {game.name!r}; use one-hot features")
    low, high = int(game.arrays.iset_off[player]), int(game.arrays.iset_off[player + 1])
    places = {text: i - low for i, text in enumerate(game.infostates) if low <= i < high}
    found = np.zeros((high - low, spiel.information_state_tensor_size()), np.float32)
    missing = set(places)
    stack = [spiel.new_initial_state()]
    while stack and missing:
        state = stack.pop()
        if state.is_terminal():
            continue
        if state.current_player() == player:
            text = state.information_state_string(player)
            if text in missing:
                missing.remove(text)
                found[places[text]] = state.information_state_tensor(player)
        stack += [state.child(action) for action in state.legal_actions()]
    if missing:
        raise UnsupportedGame(
            f"OpenSpiel does not know infoset {min(missing)!r} of {game.name!r} (refined or renamed); "
            "use one-hot features"
        )
    return found


def _load(game: ExtensiveGame) -> Any:
    try:
        return load(game.name)
    except (LookupError, ValueError) as error:  # UnknownName, UnsupportedGame
        raise UnsupportedGame(f"{game.name!r} is no OpenSpiel game; use one-hot features") from error
