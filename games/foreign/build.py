"""Build functions of environments of other libraries."""

from __future__ import annotations

import importlib
import warnings
from functools import partial
from typing import Any

from equilibria.games.foreign.settings import MAgentBattleSettings, OpenSpielWorldSettings, PettingZooSettings
from equilibria.games.foreign.world import ForeignWorld
from equilibria.sim.errors import EquilibriaError, UnsupportedGame
from equilibria.sim.seeds import SeedTree


def pettingzoo_world(environment: str, *, horizon: int = 1000, **options: Any) -> ForeignWorld:
    """Return a PettingZoo environment as a vector game.

    Args:
        environment: Module that offers ``parallel_env`` or ``env``, for example ``"mpe2.simple_spread_v3"``,
            ``"magent2.environments.battle_v4"`` or ``"pettingzoo.classic.tictactoe_v3"``.
        horizon: Steps after which an episode is cut.
        options: Keyword arguments of that function.

    Raises:
        UnsupportedGame: If the module is missing, offers neither, or refuses the options.
        Unsupported: If its actions are of no known kind or observations have no fixed length.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PettingZoo's own way of making environments
        try:
            module = importlib.import_module(environment)
        except ImportError as error:
            raise UnsupportedGame(
                f"environment {environment!r} cannot be imported ({error}); install its package "
                "(the extra 'environments' brings mpe2 and magent2) or correct the name"
            ) from error
        make = getattr(module, "parallel_env", None) or getattr(module, "env", None)
        if make is None:
            raise UnsupportedGame(
                f"module {environment!r} offers neither parallel_env() nor env(): no PettingZoo environment"
            )
        try:
            return ForeignWorld(partial(make, **options), name=environment.rsplit(".", 1)[-1], horizon=horizon)
        except EquilibriaError:
            raise
        except Exception as error:  # other people's constructors raise what they like
            raise UnsupportedGame(
                f"environment {environment!r} refuses the options {options}: {type(error).__name__}: {error}"
            ) from error


def openspiel_world(name_or_game: Any, *, horizon: int = 1000) -> ForeignWorld:
    """Return an OpenSpiel game, played move by move, as a vector game.

    Raises:
        UnknownName: If OpenSpiel has no such game.
        UnsupportedGame: If it cannot be loaded.
    """
    from equilibria.games.adapters.openspiel import OpenSpielEnv

    return ForeignWorld(partial(OpenSpielEnv, name_or_game), name=str(name_or_game), horizon=horizon)


def build_pettingzoo(settings: PettingZooSettings, *, seeds: SeedTree) -> ForeignWorld:
    """Build the environment of a scenario."""
    return pettingzoo_world(settings.environment, horizon=settings.horizon, **settings.options)


def build_openspiel(settings: OpenSpielWorldSettings, *, seeds: SeedTree) -> ForeignWorld:
    """Build the game of a scenario."""
    return openspiel_world(settings.name, horizon=settings.horizon)


def build_magent_battle(settings: MAgentBattleSettings, *, seeds: SeedTree) -> ForeignWorld:
    """Build MAgent's battle."""
    from equilibria.games.foreign.battle import MAgentBattle

    return MAgentBattle(settings.map_size, horizon=settings.horizon, opening=settings.opening)
