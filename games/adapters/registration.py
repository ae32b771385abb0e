"""Our games by name: as PettingZoo environments, in PettingZoo's own registry, on request.

Vector games share one view; other games name theirs in their descriptor (``Plugin.view``).
Importing the product registers nothing; call ``register_environments`` once.
"""

from __future__ import annotations

import importlib.util
from functools import partial
from typing import Any

from pettingzoo import AECEnv, ParallelEnv
from pettingzoo.utils.conversions import parallel_to_aec

from equilibria.games.adapters.pettingzoo import parallel_env
from equilibria.sim import registry
from equilibria.sim.errors import InvalidValue, Unsupported
from equilibria.sim.plugin import Plugin
from equilibria.sim.seeds import SeedTree

NAMESPACE = "equilibria"
_FOREIGN = frozenset({"pettingzoo", "openspiel_world", "magent_battle"})


def environment(name: str, *, seed: int = 0, render_mode: None = None, **params: Any) -> ParallelEnv[Any, Any, Any]:
    """Return a registered game as a PettingZoo parallel environment.

    Args:
        name: Registry name of a game, for example ``"simple_spread"``.
        seed: Seed of games that are drawn; episodes follow the seed of ``reset``.
        render_mode: PettingZoo's argument; our worlds draw no pictures.
        params: Settings of the game, or of its view where it has one of its own.

    Raises:
        UnknownName: If there is no such game; names near ones.
        Unsupported: If the game has no view, or a picture is asked for.
        InvalidValue: If a setting does not exist or is out of range.

    Example:
        >>> environment("team_matrix_world").possible_agents
        ['player_0', 'player_1']
    """
    plugin = registry.find("game", name)
    if not plugin.view and "vector" not in plugin.forms:
        raise Unsupported(
            f"game {name!r} is no vector game and has no view of its own; it has the form "
            f"{', '.join(plugin.forms) or 'of its engine'}"
        )
    if render_mode is not None:
        raise Unsupported(f"game {name!r} has no render modes, got {render_mode!r}")
    try:
        settings = (plugin.view_settings or plugin.settings).model_validate(params)
    except ValueError as error:
        raise InvalidValue(f"game {name!r}: {error}") from error
    if plugin.view:
        return plugin.load_view()(settings, seeds=SeedTree(seed))
    return parallel_env(plugin.load()(settings, seeds=SeedTree(seed)))


def environment_names() -> list[str]:
    """Return the names of the games of our own that have a view and are installed, sorted."""
    return sorted(
        plugin.name
        for plugin in registry.all_plugins("game")
        if isinstance(plugin, Plugin)
        and (plugin.view or "vector" in plugin.forms)
        and plugin.name not in _FOREIGN
        and all(importlib.util.find_spec(module) for module in plugin.modules)
    )


def register_environments(namespace: str = NAMESPACE) -> list[str]:
    """Register every game with a view in PettingZoo's registry, parallel and turn-based; return the ids.

    Afterwards ``pettingzoo.make("parallel", "equilibria/simple_spread-v0", agents=5)`` makes one.

    Raises:
        Unsupported: If this PettingZoo has no registry (it came with version 1.26).
    """
    import pettingzoo

    if not hasattr(pettingzoo, "register"):
        raise Unsupported(f"PettingZoo {pettingzoo.__version__} has no registry of environments; install a newer one")
    ids = []
    for name in environment_names():
        ids.append(f"{namespace}/{name}-v0")
        pettingzoo.register("parallel", id=ids[-1], entry_point=partial(environment, name))
        pettingzoo.register("aec", id=ids[-1], entry_point=partial(_turns, name))
    return ids


def _turns(name: str, **params: Any) -> AECEnv:
    """Return the turn-based view: agents move in order, then all are paid."""
    return parallel_to_aec(environment(name, **params))
