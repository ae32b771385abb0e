"""Graphs for population worlds: networkx generators by name, as compressed sparse rows.

Axes: N nodes, L directed edges (each undirected edge twice).
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from typing import Any

import networkx
import numpy as np

from equilibria.games.population.settings import GraphSettings
from equilibria.sim.errors import InvalidValue, UnknownName, did_you_mean
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import IntArray, UIntArray

_MODULES = ("networkx.generators",)


@dataclass(frozen=True, slots=True)
class Network:
    """An undirected simple graph.

    Attributes:
        start: uint32 [N + 1]; the neighbours of i are ``target[start[i]:start[i + 1]]``, ascending.
        target: uint32 [L].
    """

    start: UIntArray
    target: UIntArray

    @property
    def nodes(self) -> int:
        """Number of nodes."""
        return int(self.start.size - 1)

    @property
    def degrees(self) -> IntArray:
        """Number of neighbours of each node, int64 [N]."""
        start = self.start.astype(np.int64)
        return start[1:] - start[:-1]


def generators() -> dict[str, Any]:
    """Return the networkx functions that a scenario may name, by name."""
    found = {}
    for name in dir(networkx):
        value = getattr(networkx, name)
        if inspect.isfunction(value) and value.__module__.startswith(_MODULES) and not name.startswith("_"):
            found[name] = value
    return found


def build_network(settings: GraphSettings, seeds: SeedTree) -> Network:
    """Draw the graph of a scenario.

    A generator that takes ``seed`` gets a generator of the run's seed tree.  Nodes are numbered in
    the order in which networkx lists them; direction, weights, loops and parallel edges are dropped.

    Raises:
        UnknownName: If networkx has no such generator.
        InvalidValue: If the parameters do not fit it, or the result is no graph with nodes.
    """
    known = generators()
    if settings.generator not in known:
        alike = [name for name in known if settings.generator in name] if len(settings.generator) > 2 else []
        hint = (
            f"did you mean {' or '.join(map(repr, alike[:5]))}?" if alike else did_you_mean(settings.generator, known)
        )
        raise UnknownName(f"game.params.graph.generator: networkx has no generator {settings.generator!r}; {hint}")
    function = known[settings.generator]
    accepted = inspect.signature(function).parameters
    arguments: dict[str, Any] = dict(settings.params)
    reserved = {"seed", "create_using", "backend"} & set(arguments)
    if reserved:
        raise InvalidValue(f"game.params.graph.params must not set {sorted(reserved)}: the run's seed decides")
    if "seed" in accepted:
        arguments["seed"] = seeds.child("graph").generator()
    try:
        graph = function(**arguments)
    except (TypeError, ValueError, ArithmeticError, AttributeError, LookupError, networkx.NetworkXException) as error:
        names = ", ".join(p for p in accepted if p not in ("seed", "create_using", "backend", "backend_kwargs"))
        raise InvalidValue(
            f"game.params.graph: {settings.generator}({settings.params}) failed: {error}; its parameters are {names}"
        ) from error
    return network_of(graph, settings.generator)


def network_of(graph: Any, name: str = "graph") -> Network:
    """Convert a networkx graph; isolated nodes are kept.

    Raises:
        InvalidValue: If it is no graph or has no nodes.
    """
    if not isinstance(graph, networkx.Graph):
        raise InvalidValue(f"{name} returned {type(graph).__name__}, expected a graph")
    nodes = graph.number_of_nodes()
    if nodes == 0:
        raise InvalidValue(f"{name} returned a graph without nodes, expected at least one")
    number = {node: i for i, node in enumerate(graph.nodes)}
    ends = np.array([(number[a], number[b]) for a, b in graph.edges()], np.int64).reshape(-1, 2)
    return network_from_edges(nodes, ends)


def network_from_edges(nodes: int, ends: IntArray) -> Network:
    """Return the network of undirected edges ``ends`` int64 [E, 2]; loops and repetitions are dropped."""
    ends = ends[ends[:, 0] != ends[:, 1]]
    both = np.concatenate((ends[:, 0] * nodes + ends[:, 1], ends[:, 1] * nodes + ends[:, 0]))
    source, target = np.divmod(np.unique(both), nodes)
    if target.size >= 2**32:
        raise InvalidValue(f"a network may have at most {2**31 - 1} links, got {target.size // 2}")
    start = np.concatenate(([0], np.cumsum(np.bincount(source, minlength=nodes))))
    return Network(start.astype(np.uint32), target.astype(np.uint32))
