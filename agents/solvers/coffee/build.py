"""Build function that scenarios reach through the registry."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from equilibria.agents.solvers.coffee.data import generate
from equilibria.agents.solvers.coffee.settings import CoffeeSettings
from equilibria.agents.solvers.coffee.solver import CoffeePSRO
from equilibria.games.extensive.arrays import ExtensiveGame
from equilibria.sim.errors import UnknownName, UnsupportedGame
from equilibria.sim.seeds import SeedTree


def build(settings: CoffeeSettings, *, game: Any, roles: Sequence[str], seeds: SeedTree, budget: int) -> CoffeePSRO:
    """Write a data set with the game, then build the solver on the data alone."""
    if not isinstance(game, ExtensiveGame):
        raise UnsupportedGame(f"coffee_psro needs an OpenSpiel game (openspiel), got {type(game).__name__}")
    options = settings.data
    try:
        data = generate(game.name, episodes=options.episodes, coverage=options.coverage, seeds=seeds.child("data"))
    except UnknownName as error:
        raise UnsupportedGame(
            f"coffee_psro writes its data by playing an OpenSpiel game, got {game.name!r}; use game: openspiel"
        ) from error
    return CoffeePSRO(data, settings, seeds=seeds.child("solver"), true_game=game)
