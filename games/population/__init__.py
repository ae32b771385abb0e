"""Populations of rule-following agents; names are resolved on first use.

Example:
    >>> from equilibria.games.population import WealthExchange, WealthSettings
    >>> from equilibria.sim.seeds import SeedTree
    >>> world = WealthExchange(WealthSettings(agents=1000, activation="simultaneous"))
    >>> world.reset(SeedTree(1))
    >>> world.run(1, 50)
    >>> int(world.columns()["wealth"].sum())
    1000
"""

from __future__ import annotations

from equilibria.sim.lazy import exports

_PUBLIC: dict[str, str] = {
    "Contagion": "equilibria.games.population.contagion:Contagion",
    "ContagionSettings": "equilibria.games.population.settings:ContagionSettings",
    "GraphSettings": "equilibria.games.population.settings:GraphSettings",
    "Network": "equilibria.games.population.networks:Network",
    "Schelling": "equilibria.games.population.schelling:Schelling",
    "SchellingSettings": "equilibria.games.population.settings:SchellingSettings",
    "WealthExchange": "equilibria.games.population.wealth:WealthExchange",
    "WealthGrid": "equilibria.games.population.wealth:WealthGrid",
    "WealthGridSettings": "equilibria.games.population.settings:WealthGridSettings",
    "WealthSettings": "equilibria.games.population.settings:WealthSettings",
    "gini": "equilibria.games.population.measures:gini",
    "network_of": "equilibria.games.population.networks:network_of",
    "stationary_wealth": "equilibria.games.population.laws:stationary",
}

__all__ = sorted(_PUBLIC)  # noqa: PLE0605
__getattr__ = exports("equilibria.games.population", _PUBLIC)
