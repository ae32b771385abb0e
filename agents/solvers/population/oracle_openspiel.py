"""OpenSpiel's tabular best response as an oracle, for cross-checks; slow, deterministic ties.

``PSRO(game, oracle=OpenSpielOracle("kuhn_poker"))``; registry name ``oracle: exact_openspiel``.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from equilibria.agents.solvers.population.oracle import OracleRequest
from equilibria.games.extensive.policy import behavioural, realisation_plan
from equilibria.sim.errors import UnsupportedGame
from equilibria.sim.types import FloatArray


class OpenSpielOracle:
    """Best responses by ``pyspiel.TabularBestResponse``.

    Args:
        name_or_game: The OpenSpiel string or ``pyspiel.Game`` from which the game was made.

    Raises:
        UnsupportedGame: If OpenSpiel does not know the game.
    """

    exact = True

    def __init__(self, name_or_game: Any) -> None:
        from equilibria.games.extensive.spiel import load

        self._game = load(name_or_game)

    def respond(self, request: OracleRequest) -> FloatArray:
        """Return the plan [S_p] of OpenSpiel's best response."""
        import pyspiel

        game, p = request.game, request.player
        # the binding keeps no reference to the policy, so it must outlive the response
        table = behavioural(game, request.x).to_openspiel()
        found = pyspiel.TabularBestResponse(self._game, p, table)
        found.value_from_state(self._game.new_initial_state())
        actions: dict[str, int] = found.get_best_response_actions()
        del table
        return _plan(request, actions)


def _plan(request: OracleRequest, actions: dict[str, int]) -> FloatArray:
    game, p = request.game, request.player
    a = game.arrays
    probs = np.ones(a.sequences)
    for i, text in enumerate(game.infostates):
        start, count = int(a.first[i]), int(a.nact[i])
        probs[start : start + count] = 1.0 / count
        # infosets that the others never reach are missing from OpenSpiel's answer and stay uniform
        if int(a.iset_off[p]) <= i < int(a.iset_off[p + 1]) and text in actions:
            if actions[text] not in game.actions[i]:
                raise UnsupportedGame(f"OpenSpiel's action {actions[text]} at {text!r} is unknown to {game.name!r}")
            probs[start : start + count] = 0.0
            probs[start + game.actions[i].index(actions[text])] = 1.0
    plan = realisation_plan(game, probs)
    return plan[int(a.seq_off[p]) : int(a.seq_off[p + 1])].copy()
