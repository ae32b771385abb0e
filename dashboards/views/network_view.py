"""A picture of a contagion network: the neighbourhood of a recorded agent, laid out."""

from __future__ import annotations

import functools
import json
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import networkx
import numpy as np
import polars as pl

from equilibria.games.population.networks import Network, build_network
from equilibria.games.population.settings import GraphSettings
from equilibria.sim.errors import EquilibriaError
from equilibria.sim.seeds import SeedTree
from equilibria.sim.types import FloatArray, IntArray

MAX_NODES: Final = 250
MAX_BUILT: Final = 200_000


@dataclass(frozen=True, slots=True)
class Picture:
    """Nodes to draw.

    Attributes:
        positions: [n, 2] places.
        links: [m, 2] pairs of rows of ``positions``.
        states: [n] recorded state, -1 where the agent was not recorded.
        total: Nodes of the whole network.
    """

    positions: FloatArray
    links: IntArray
    states: IntArray
    total: int


def network_picture(params: Mapping[str, Any], seed: int, frame: pl.DataFrame) -> Picture | str:
    """Lay out the neighbourhood of the recorded agent with most recorded neighbours.

    Args:
        params: Parameters of the contagion game.
        seed: Root seed of the run, from which the graph is drawn again.
        frame: Recorded agents with ``agent`` and ``state``.

    Returns:
        The picture, or a sentence that says why there is none.
    """
    given = params.get("graph")
    if not isinstance(given, Mapping):
        return "The scenario names no graph, so the network cannot be drawn."
    size = dict(given.get("params") or {}).get("n")
    if isinstance(size, int) and size > MAX_BUILT:
        return f"Networks of more than {MAX_BUILT:,} agents are not drawn."
    try:
        network = _network(json.dumps(dict(given), sort_keys=True), seed)
    except (EquilibriaError, ValueError) as error:
        return f"The network cannot be drawn again: {error}"
    if network.nodes > MAX_BUILT:
        return f"Networks of more than {MAX_BUILT:,} agents are not drawn."
    agents = frame["agent"].to_numpy()
    if len(agents) == 0 or int(agents.max()) >= network.nodes:
        return "The recorded agents do not fit the network of the scenario."
    states = np.full(network.nodes, -1, np.int64)
    states[agents] = frame["state"].to_numpy()
    nodes = ball(network, _centre(network, states), MAX_NODES)
    return _lay_out(network, nodes, states)


def _centre(network: Network, states: IntArray) -> int:
    """Return the recorded agent with most recorded neighbours, the first one among equals."""
    known = np.concatenate([[0], np.cumsum(states[network.target] >= 0)])
    start = network.start.astype(np.int64)
    count = known[start[1:]] - known[start[:-1]]
    return int(np.where(states >= 0, count, -1).argmax())


def ball(network: Network, start: int, size: int) -> IntArray:
    """Return up to ``size`` nodes nearest to ``start``, in breadth-first order."""
    seen, waiting = {start: None}, deque([start])
    while waiting and len(seen) < size:
        node = waiting.popleft()
        for neighbour in network.target[network.start[node] : network.start[node + 1]]:
            if len(seen) < size and int(neighbour) not in seen:
                seen[int(neighbour)] = None
                waiting.append(int(neighbour))
    return np.fromiter(seen, np.int64, len(seen))


@functools.lru_cache(maxsize=4)
def _network(given: str, seed: int) -> Network:
    settings = GraphSettings.model_validate_json(given, strict=True)
    return build_network(settings, SeedTree(seed).child("game"))


def _lay_out(network: Network, nodes: IntArray, states: IntArray) -> Picture:
    place = {int(node): i for i, node in enumerate(nodes)}
    links = [
        (i, place[int(other)])
        for node, i in place.items()
        for other in network.target[network.start[node] : network.start[node + 1]]
        if int(other) in place and place[int(other)] > i
    ]
    graph = networkx.Graph(links)
    graph.add_nodes_from(range(len(nodes)))
    found = networkx.spring_layout(graph, seed=1, iterations=60)
    positions = np.array([found[i] for i in range(len(nodes))], np.float64)
    return Picture(positions, np.array(links, np.int64).reshape(-1, 2), states[nodes], network.nodes)
