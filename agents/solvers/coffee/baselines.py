"""What COffeE-PSRO is compared with: behaviour cloning.

Plain offline PSRO is ``CoffeePSRO`` with ``kappa``, ``own_penalty`` and ``strategic_penalty`` at zero.
"""

from __future__ import annotations

import numpy as np

from equilibria.agents.solvers.coffee.data import OfflineData
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.games.extensive.policy import BehaviouralPolicy


def behaviour_cloning(data: OfflineData, game: ExtensiveGame) -> BehaviouralPolicy:
    """Return the action frequencies of the data as a policy of ``game``; uniform where the data have none."""
    episode = data.steps["episode"].to_numpy()
    counts: dict[tuple[int, str], np.ndarray[tuple[int], np.dtype[np.float64]]] = {}
    columns = [data.steps[c].to_list() for c in ("player", "infostate", "legal", "action")]
    for e, player, text, legal, action in zip(episode, *columns, strict=True):
        if player >= 0:
            row = counts.setdefault((player, text), np.zeros(len(legal)))
            row[legal.index(action)] += data.weights[e]
    table = {key: (row / row.sum()).tolist() for key, row in counts.items() if key in game.index}
    return BehaviouralPolicy.from_table(game, table)
